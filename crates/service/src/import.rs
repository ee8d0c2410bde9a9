//! Result files of other tools, and result rows, as a run of their own.

use std::collections::HashSet;

use podium_domain::framework::Framework;
use podium_domain::report::{Report, ReportInput};
use podium_domain::row::ResultRow;
use podium_domain::sla::Sla;
use podium_domain::status::{CandidateStatus, RunStatus};
use podium_formats::import::{ImportOptions, ImportedRow, import_file};
use podium_formats::plan::Problem;
use podium_store::{ArtifactLimits, NewImportedRun, NewReport, NewRow, Run};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::caller::{Caller, Role};
use crate::error::{Error, Result};
use crate::events::stored;
use crate::review::run_item;
use crate::service::Service;
use crate::views::{ImportedRowView, RunEvent, RunFile, RunView};

/// Most bytes of all files of one import.
pub const MAX_IMPORT_BYTES: usize = 64 << 20;

/// Most problems that are told at once.
const MAX_PROBLEMS: usize = 50;

/// A file to import.
#[derive(Debug, Clone)]
pub struct ImportFile {
    /// Its name, for messages and downloads.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What to import, and what the files do not say.
#[derive(Debug, Clone, Default)]
pub struct ImportRequest {
    /// The files.
    pub files: Vec<ImportFile>,
    /// The run's title; `None` is the report's.
    pub title: Option<String>,
    /// The framework that was measured; `None` is the tool's own. Result rows name theirs.
    pub framework: Option<Framework>,
    /// The candidate's id; `None` is what the file says, else one from the file's name.
    pub candidate_id: Option<String>,
    /// The scenario's name; `None` is what the file says, else `default`.
    pub scenario: Option<String>,
    /// Limits that the rows of other tools are judged by.
    pub limits: Sla,
}

/// What the files hold.
struct Read {
    rows: Vec<ImportedRow>,
    report: Report,
}

impl Service {
    /// Stores files as a run of its own, with their rows, its report and the files themselves; the run's id. All or
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] with what is wrong and in which file and line.
    pub async fn import(&self, caller: Caller, mut request: ImportRequest) -> Result<Uuid> {
        caller.require(Role::Runner)?;
        let id = podium_store::new_id();
        give_names(&mut request.files);
        check(&request)?;
        // Reading and ranking tens of megabytes takes a while.
        let (request, read) = tokio::task::spawn_blocking(move || {
            let read = read(id, &request);
            (request, read)
        })
        .await
        .map_err(Error::internal)?;
        let Read { rows, report } = read?;

        let mut files = Vec::new();
        for file in &request.files {
            let media_type = "application/json";
            let stored = self.store().put_artifact(&file.bytes[..], media_type, ArtifactLimits::default()).await?;
            files.push((stored.id, file.name.clone()));
        }
        let models: Vec<_> = rows.iter().filter_map(|imported| imported.row.model.as_deref()).collect();
        let known: HashSet<Framework> = rows.iter().filter_map(|i| i.row.framework.parse().ok()).collect();
        let title = request.title.clone().unwrap_or_else(|| report.title.clone());
        let new = NewImportedRun {
            id,
            title: title.clone(),
            model: models.first().map(|model| (*model).to_owned()).unwrap_or_default(),
            frameworks: Framework::ALL.into_iter().filter(|framework| known.contains(framework)).collect(),
            flow_check: report.flow_check,
            simulated: report.is_simulated(),
            summary: json!({ "answers": report.answers(), "has_winner": report.has_winner() }),
            created_by: caller.person,
            report: NewReport {
                id: podium_store::new_id(),
                schema_version: i32::try_from(report.schema_version).unwrap_or(i32::MAX),
                title: title.clone(),
                model: serde_json::to_value(&report).map_err(Error::internal)?,
                simulated: report.is_simulated(),
                created_by: caller.person,
            },
            rows: rows.into_iter().map(new_row).collect(),
            files,
        };
        let event = stored(&RunEvent::Run { status: RunStatus::Completed, failure: None });
        self.store().create_imported_run(&new, &[event]).await?;
        let names: Vec<_> = request.files.iter().map(|file| file.name.as_str()).collect();
        self.audit(caller, "run.import", format!("run {id}"), json!({ "title": title, "files": names })).await?;
        Ok(id)
    }

    /// An imported run, whole. It has rows where others have candidates.
    pub(crate) async fn imported_run(&self, run: Run) -> Result<RunView> {
        let rows = self.store().rows(run.id).await?;
        let files = self.store().run_artifacts(run.id).await?;
        let report_id = self.store().report_of_run(run.id).await?.map(|report| report.id);
        let imported = rows.into_iter().map(|row| row_view(row.row, row.status)).collect::<Result<Vec<_>>>()?;
        let size = |bytes: i64| u64::try_from(bytes).unwrap_or(0);
        Ok(RunView {
            item: run_item(&run),
            notes: run.notes,
            imported,
            files: files
                .into_iter()
                .map(|file| RunFile { id: file.artifact_id, name: file.name, size_bytes: size(file.size_bytes) })
                .collect(),
            yaml: String::new(),
            failure: run.failure,
            preflight: None,
            scenarios: Vec::new(),
            candidates: Vec::new(),
            activity: "imported".to_owned(),
            measured: 0,
            planned: 0,
            last_seq: run.last_event_seq,
            report_id,
        })
    }

    /// A file of a run: what an imported one came from, or a help text or log of one that was measured. Its name and its
    /// content.
    pub async fn run_file(&self, caller: Caller, run_id: Uuid, file_id: Uuid) -> Result<(String, Vec<u8>)> {
        caller.require(Role::Viewer)?;
        self.store().run(run_id).await?;
        let files = self.store().run_artifacts(run_id).await?;
        let file = files.into_iter().find(|file| file.artifact_id == file_id);
        let file = file.ok_or_else(|| Error::NotFound { what: "this file of the run".to_owned() })?;
        Ok((file.name, self.store().artifact_bytes(file.artifact_id).await?))
    }
}

/// Makes the names of files differ, and leaves of each only what a name may be.
fn give_names(files: &mut [ImportFile]) {
    let mut taken = HashSet::new();
    for file in files {
        let last = file.name.rsplit(['/', '\\']).next().unwrap_or_default();
        let name: String = last.chars().filter(|c| !c.is_control()).take(100).collect();
        let name = if name.trim().is_empty() { "results.json".to_owned() } else { name };
        let numbered = (2..).map(|number| format!("{number}-{name}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or(name);
        taken.insert(free.clone());
        file.name = free;
    }
}

fn check(request: &ImportRequest) -> Result<()> {
    let size: usize = request.files.iter().map(|file| file.bytes.len()).sum();
    let problem = if request.files.is_empty() {
        "no file was chosen: choose at least one".to_owned()
    } else if size > MAX_IMPORT_BYTES {
        format!("the files have {} MiB together; at most {} go into one import", size >> 20, MAX_IMPORT_BYTES >> 20)
    } else {
        return Ok(());
    };
    Err(Error::Invalid { problems: vec![Problem::new("files", None, problem)] })
}

/// Reads every file and makes the report.
fn read(id: Uuid, request: &ImportRequest) -> Result<Read> {
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    for file in &request.files {
        let options = ImportOptions {
            framework: request.framework.map(|framework| framework.id().to_owned()).unwrap_or_default(),
            candidate_id: request.candidate_id.clone(),
            scenario: request.scenario.clone(),
            limits: request.limits.clone(),
        };
        match import_file(&file.bytes, &options) {
            Ok(found) if found.is_empty() => problems.push(Problem::new(&file.name, None, "the file is empty")),
            Ok(found) => rows.extend(found.into_iter().map(|row| name_candidate(row, request, file))),
            Err(errors) => {
                let place = |place: &str| if place.is_empty() { String::new() } else { format!(", {place}") };
                problems.extend(
                    errors.into_iter().map(|error| {
                        Problem::new(format!("{}{}", file.name, place(&error.place)), None, error.message)
                    }),
                );
            }
        }
    }
    // PostgreSQL keeps no such character in a text.
    if rows.iter().any(|imported| holds_nul(&imported.row)) {
        problems.push(Problem::new("files", None, "a text in a row holds the character NUL, which cannot be stored"));
    }
    if !problems.is_empty() {
        let more = problems.len().saturating_sub(MAX_PROBLEMS);
        problems.truncate(MAX_PROBLEMS);
        if more > 0 {
            problems.push(Problem::new("files", None, format!("{more} more lines are wrong")));
        }
        return Err(Error::Invalid { problems });
    }
    let mut report = Report::build(ReportInput {
        rows: rows.iter().map(|imported| imported.row.clone()).collect(),
        run_ids: vec![id.to_string()],
        ..ReportInput::default()
    });
    if let Some(title) = &request.title {
        report.title.clone_from(title);
    }
    Ok(Read { rows, report })
}

/// Several files of one framework are several candidates: where nothing names them, their files do.
fn name_candidate(mut imported: ImportedRow, request: &ImportRequest, file: &ImportFile) -> ImportedRow {
    let row = &mut imported.row;
    let unnamed = request.candidate_id.is_none() && row.is_imported();
    if unnamed && request.files.len() > 1 && row.candidate_id == format!("{}-imported", row.framework) {
        let stem = file.name.rsplit_once('.').map_or(file.name.as_str(), |(stem, _)| stem);
        row.candidate_id = format!("{}-{stem}", row.framework);
    }
    imported
}

fn holds_nul(row: &ResultRow) -> bool {
    serde_json::to_string(row).is_ok_and(|text| text.contains("\\u0000"))
}

fn new_row(imported: ImportedRow) -> NewRow {
    let ImportedRow { row, original } = imported;
    NewRow {
        candidate_id: None,
        framework: row.framework.clone(),
        scenario: row.scenario().to_owned(),
        // Words of other tools are none of ours: such a candidate did not end well.
        status: row.status.word().parse().unwrap_or(CandidateStatus::Failed),
        sla_passed: row.sla.passed,
        request_throughput: row.metrics.request_throughput,
        output_token_throughput: row.metrics.output_token_throughput,
        p50_ttft_ms: row.metrics.p50_ttft_ms,
        p50_tpot_ms: row.metrics.p50_tpot_ms,
        simulated: row.is_simulated(),
        row: serde_json::to_value(&row).unwrap_or(Value::Null),
        original,
    }
}

fn row_view(row: Value, status: CandidateStatus) -> Result<ImportedRowView> {
    let row: ResultRow = serde_json::from_value(row).map_err(Error::internal)?;
    let origin = row.podium.as_ref().and_then(|podium| podium.imported.as_ref());
    Ok(ImportedRowView {
        framework: row.framework_name().to_owned(),
        candidate_id: row.candidate_id.clone(),
        scenario: row.scenario().to_owned(),
        load: row.load_text(),
        status,
        reason: row.failure_reason.clone(),
        tool: origin.map(|origin| origin.tool.clone()),
        samples: origin.map_or(0, |origin| origin.samples),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> ImportFile {
        ImportFile { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn names_of_files_differ_and_lead_nowhere() {
        let mut files = ["../a.json", "C:\\x\\a.json", "", "b\n.json"].map(|name| file(name, "")).to_vec();
        give_names(&mut files);
        let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["a.json", "2-a.json", "results.json", "b.json"]);
    }

    #[test]
    fn every_problem_names_its_file_and_line() {
        let rows = "{\"framework\": \"vllm\", \"candidate_id\": \"a\"}\n{\"framework\": \"vllm\"}\n";
        let request = ImportRequest {
            files: vec![
                file("rows.jsonl", rows),
                file("b.json", "{"),
                file("nul.jsonl", &rows[..43].replace("\"a\"", "\"\\u0000\"")),
            ],
            ..ImportRequest::default()
        };
        let Err(Error::Invalid { problems }) = read(Uuid::nil(), &request) else { panic!("it was read") };
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["rows.jsonl, line 2", "b.json", "files"], "{problems:?}");
        assert!(problems[2].message.contains("NUL"), "{problems:?}");
    }

    #[test]
    fn two_files_of_one_framework_are_two_candidates() {
        let result = "{\"backend\": \"vllm\", \"completed\": 500, \"num_prompts\": 500, \"request_throughput\": 2.0, \
                      \"output_throughput\": 8.0, \"median_ttft_ms\": 10.0}";
        let files = vec![file("tuned.json", result), file("plain.json", result)];
        let found = read(Uuid::nil(), &ImportRequest { files, ..ImportRequest::default() }).expect("two results");
        let ids: Vec<_> = found.rows.iter().map(|imported| imported.row.candidate_id.as_str()).collect();
        assert_eq!(ids, ["vllm-tuned", "vllm-plain"]);
        assert_eq!(found.report.rows.len(), 2);
    }
}
