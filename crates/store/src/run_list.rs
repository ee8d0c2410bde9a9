//! The runs list: searched, filtered, sorted, page by page.

use podium_domain::framework::Framework;
use podium_domain::status::RunStatus;
use serde_json::Value;
use sqlx::{FromRow, Postgres, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::convert::{all, word};
use crate::error::{Error, Result};
use crate::pool::Store;

/// Makes an enum of words with `ALL`, `word` and `FromStr`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value, the usual one first.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// The value as its word.
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.word() == text).ok_or_else(|| {
                    let words: Vec<_> = Self::ALL.iter().map(|value| value.word()).collect();
                    format!("`{text}` is none of {}", words.join(", "))
                })
            }
        }
    };
}

words! {
    /// Whether a run's results were measured here.
    RunKind {
        /// By a worker of ours.
        #[default]
        Measured = "measured",
        /// By another tool, or by another Podium.
        Imported = "imported",
    }
}

words! {
    /// The order of the list.
    RunSort {
        /// Newest first.
        #[default]
        Newest = "newest",
        /// Oldest first.
        Oldest = "oldest",
        /// By title.
        Title = "title",
        /// By model.
        Model = "model",
    }
}

words! {
    /// Where a run is kept.
    Shelf {
        /// In the list.
        #[default]
        Active = "active",
        /// In the archive.
        Archived = "archived",
        /// Deleted; it can be brought back.
        Deleted = "deleted",
    }
}

/// What is searched for, as the words of a text: each has to begin a word of the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunWords(Vec<String>);

impl RunWords {
    /// The words of what somebody typed.
    pub fn of(text: &str) -> Self {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        RunWords(words.map(str::to_lowercase).collect())
    }

    /// As PostgreSQL wants it; nothing in it can be an operator, since words are letters and digits.
    fn tsquery(&self) -> Option<String> {
        let terms: Vec<_> = self.0.iter().map(|word| format!("'{word}':*")).collect();
        (!terms.is_empty()).then(|| terms.join(" & "))
    }
}

/// Which runs, in which order. The default is the newest ones of the list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunQuery {
    /// Words of title, model, frameworks, tags and notes.
    pub words: RunWords,
    /// Of this model.
    pub model: Option<String>,
    /// With this framework.
    pub framework: Option<Framework>,
    /// On this host.
    pub host_id: Option<Uuid>,
    /// In this status.
    pub status: Option<RunStatus>,
    /// With this tag.
    pub tag: Option<String>,
    /// Of this kind.
    pub kind: Option<RunKind>,
    /// Asked for at this time or later.
    pub from: Option<OffsetDateTime>,
    /// Asked for before this time.
    pub before: Option<OffsetDateTime>,
    /// Where they are kept.
    pub shelf: Shelf,
    /// The order.
    pub sort: RunSort,
    /// Only runs behind this one in that order: the last one of the page before.
    pub after: Option<Uuid>,
}

/// A line of the list: what it shows, without the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedRun {
    /// The run.
    pub id: Uuid,
    /// Its title.
    pub title: String,
    /// The model's name.
    pub model: String,
    /// Those of its frameworks that are ours.
    pub frameworks: Vec<Framework>,
    /// Whether it yields no winner.
    pub flow_check: bool,
    /// Whether any engine was simulated.
    pub simulated: bool,
    /// The host's name; empty for an imported run.
    pub host_name: String,
    /// Where it is.
    pub status: RunStatus,
    /// Whether it was measured here.
    pub kind: RunKind,
    /// Its tags.
    pub tags: Vec<String>,
    /// Where it is kept.
    pub shelf: Shelf,
    /// One sentence per scenario, as JSON; `None` before there is a report.
    pub answers: Option<Value>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

#[derive(FromRow)]
struct ListedRow {
    id: Uuid,
    title: String,
    model: String,
    frameworks: Vec<String>,
    flow_check: bool,
    simulated: bool,
    host_name: String,
    status: String,
    kind: String,
    tags: Vec<String>,
    shelf: String,
    answers: Option<Value>,
    created_at: OffsetDateTime,
    finished_at: Option<OffsetDateTime>,
}

impl TryFrom<ListedRow> for ListedRun {
    type Error = Error;

    fn try_from(row: ListedRow) -> Result<Self> {
        Ok(ListedRun {
            id: row.id,
            title: row.title,
            model: row.model,
            frameworks: row.frameworks.iter().map(|id| word("run.frameworks", id)).collect::<Result<_>>()?,
            flow_check: row.flow_check,
            simulated: row.simulated,
            host_name: row.host_name,
            status: word("run.status", &row.status)?,
            kind: word("run.kind", &row.kind)?,
            tags: row.tags,
            shelf: word("run.shelf", &row.shelf)?,
            answers: row.answers,
            created_at: row.created_at,
            finished_at: row.finished_at,
        })
    }
}

const SELECT: &str = "select run.id, run.title, run.model, run.frameworks, run.flow_check, run.simulated,
    coalesce(host.name, '') as host_name, run.status, run.kind, run.tags,
    case when run.deleted_at is not null then 'deleted' when run.archived_at is not null then 'archived'
         else 'active' end as shelf,
    run.summary -> 'answers' as answers, run.created_at, run.finished_at
    from run left join host on host.id = run.host_id where ";

/// The query. It is put together from the parts that are asked for, since one query for every choice would have no
/// index that fits; every value is a parameter.
fn build(query: &RunQuery, limit: i64) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new(SELECT);
    sql.push(match query.shelf {
        Shelf::Active => "run.deleted_at is null and run.archived_at is null",
        Shelf::Archived => "run.deleted_at is null and run.archived_at is not null",
        Shelf::Deleted => "run.deleted_at is not null",
    });
    if let Some(words) = query.words.tsquery() {
        sql.push(" and run.words @@ ").push_bind(words).push("::text::tsquery");
    }
    if let Some(model) = &query.model {
        sql.push(" and run.model = ").push_bind(model.clone());
    }
    if let Some(framework) = query.framework {
        sql.push(" and ").push_bind(framework.id().to_owned()).push(" = any(run.frameworks)");
    }
    if let Some(host) = query.host_id {
        sql.push(" and run.host_id = ").push_bind(host);
    }
    if let Some(status) = query.status {
        sql.push(" and run.status = ").push_bind(status.word());
    }
    if let Some(tag) = &query.tag {
        sql.push(" and run.tags @> ").push_bind(vec![tag.clone()]);
    }
    if let Some(kind) = query.kind {
        sql.push(" and run.kind = ").push_bind(kind.word());
    }
    if let Some(from) = query.from {
        sql.push(" and run.created_at >= ").push_bind(from);
    }
    if let Some(before) = query.before {
        sql.push(" and run.created_at < ").push_bind(before);
    }
    let (key, comparison, direction) = match query.sort {
        RunSort::Newest => ("created_at", "<", "desc"),
        RunSort::Oldest => ("created_at", ">", "asc"),
        RunSort::Title => ("title", ">", "asc"),
        RunSort::Model => ("model", ">", "asc"),
    };
    if let Some(after) = query.after {
        sql.push(format!(
            " and (run.{key}, run.id) {comparison} (select last.{key}, last.id from run last where last.id = "
        ))
        .push_bind(after)
        .push(")");
    }
    sql.push(format!(" order by run.{key} {direction}, run.id {direction} limit ")).push_bind(limit);
    sql
}

impl Store {
    /// At most `limit` lines of the list.
    pub async fn listed_runs(&self, query: &RunQuery, limit: i64) -> Result<Vec<ListedRun>> {
        let rows: Vec<ListedRow> = build(query, limit).build_query_as().fetch_all(&self.pool).await?;
        all(rows)
    }

    /// The models of all runs that are not deleted, in name order.
    pub async fn run_models(&self) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar!(
            "select distinct model from run where deleted_at is null and model <> '' order by model"
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The tags of all runs that are not deleted, in name order.
    pub async fn run_tags(&self) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar!(
            r#"select distinct unnest(tags) as "tag!" from run where tags <> '{}' and deleted_at is null order by 1"#
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits_alone() {
        assert_eq!(
            RunWords::of("Qwen/Qwen3-32B ':* | ! x").tsquery().as_deref(),
            Some("'qwen':* & 'qwen3':* & '32b':* & 'x':*")
        );
        assert_eq!(RunWords::of(" -- '").tsquery(), None);
    }

    #[test]
    fn only_what_is_asked_for_is_in_the_query() {
        let sql = build(&RunQuery::default(), 10).sql().as_str().to_owned();
        assert!(sql.ends_with("order by run.created_at desc, run.id desc limit $1"), "{sql}");
        let query = RunQuery {
            tag: Some("a'b".to_owned()),
            sort: RunSort::Title,
            after: Some(Uuid::nil()),
            ..RunQuery::default()
        };
        let sql = build(&query, 10).sql().as_str().to_owned();
        assert!(
            sql.contains("run.tags @> $1") && sql.contains("(run.title, run.id) > (select") && !sql.contains("a'b"),
            "{sql}"
        );
    }
}
