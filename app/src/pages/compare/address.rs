//! The address of a comparison.

use leptos_router::params::ParamsMap;
use podium_service::Pick;
use uuid::Uuid;

/// What the query of `/compare` names.
#[derive(Debug, Clone, PartialEq)]
pub enum Compared {
    /// A run whose plan is followed over time.
    Plan(Uuid),
    /// Candidates side by side.
    Picks(Vec<Pick>),
}

impl Compared {
    /// Reads a query's names and values.
    #[must_use]
    pub fn of_query(query: Vec<(String, String)>) -> Self {
        let address = Address::read(&query.into_iter().collect());
        address.plan.map_or(Compared::Picks(address.picks), Compared::Plan)
    }
}

/// What an address says. What cannot be read in it is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Address {
    /// The candidates, in order.
    pub(super) picks: Vec<Pick>,
    /// The one that the others are held against; the first where it is not among them.
    pub(super) base: Option<Pick>,
    /// The run to pick more from.
    pub(super) add: Option<Uuid>,
    /// The run whose plan is followed over time.
    pub(super) plan: Option<Uuid>,
}

impl Address {
    pub(super) fn read(query: &ParamsMap) -> Self {
        let mut picks: Vec<Pick> = Vec::new();
        for pick in query.get_all("c").unwrap_or_default().iter().filter_map(|text| text.parse().ok()) {
            if !picks.contains(&pick) {
                picks.push(pick);
            }
        }
        let run = |name: &str| query.get(name).and_then(|id| id.parse().ok());
        let base = query.get("base").and_then(|text| text.parse().ok());
        Address { picks, base, add: run("add"), plan: run("plan") }
    }

    /// `?c=…`, without what is only picked from.
    pub(super) fn query(&self) -> String {
        let mut query = ParamsMap::new();
        for pick in &self.picks {
            query.insert("c", pick.to_string());
        }
        if let Some(base) = &self.base {
            query.insert("base", base.to_string());
        }
        if let Some(run) = self.add {
            query.insert("add", run.to_string());
        }
        query.to_query_string()
    }

    fn path(&self) -> String {
        format!("/compare{}", self.query())
    }

    /// The same with one more.
    pub(super) fn with(&self, pick: &Pick) -> String {
        let mut other = self.clone();
        other.picks.push(pick.clone());
        other.path()
    }

    /// The same without one.
    pub(super) fn without(&self, pick: &Pick) -> String {
        let mut other = self.clone();
        other.picks.retain(|kept| kept != pick);
        other.path()
    }

    /// The same against another one.
    pub(super) fn against(&self, pick: &Pick) -> String {
        Address { base: Some(pick.clone()), ..self.clone() }.path()
    }

    /// The same, picking from another run.
    pub(super) fn picking_from(&self, run: Uuid) -> String {
        format!("{}#add", Address { add: Some(run), ..self.clone() }.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_and_leaves_out_nonsense() {
        let pick = |id: &str| Pick { run_id: Uuid::nil(), candidate_id: id.to_owned(), scenario: "a&b".to_owned() };
        let mut query = ParamsMap::new();
        for text in [pick("x").to_string(), "nonsense".to_owned(), pick("y").to_string(), pick("x").to_string()] {
            query.insert("c", text);
        }
        query.insert("base", pick("y").to_string());
        let address = Address::read(&query);
        assert_eq!(address.picks, [pick("x"), pick("y")]);
        assert_eq!(address.base, Some(pick("y")));
        let written = address.without(&pick("x"));
        assert!(written.starts_with("/compare?") && !written.contains("a&b"), "{written}");
        assert!(written.matches("c=").count() == 1, "{written}");
    }
}
