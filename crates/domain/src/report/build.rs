//! Makes a report from rows and what is known around them.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{candidates, hardware, lengths, scenario_names, simulated, sla, title, versions, workload};
use super::*;
use crate::confidence::{Difference, fold_runs};
use crate::fairness::{self, Finding};
use crate::plan::Plan;
use crate::ranking::{self, in_mode};
use crate::row::ResultRow;
use crate::validity::Validity;

/// Everything that a report is made from.
#[derive(Debug, Clone, Default)]
pub struct ReportInput<'a> {
    /// The plan; `None` for a comparison of rows from anywhere.
    pub plan: Option<&'a Plan>,
    /// The rows: one per candidate and scenario in the primary mode, and any of other load modes.
    pub rows: Vec<ResultRow>,
    /// Rows of further measurements of the same run, which are not listed: the proof of fairness counts them, since
    /// frameworks whose best rows stand at different loads met at others.
    pub also_measured: Vec<ResultRow>,
    /// What each candidate gave at each rate.
    pub search_curves: Vec<SearchCurve>,
    /// Which throughput decides first.
    pub preference: Preference,
    /// The runs that the rows come from.
    pub run_ids: Vec<String>,
    /// The host.
    pub host: Option<HostFacts>,
    /// The frameworks that were asked for; where it is empty, those of the rows.
    pub searches: Vec<FrameworkSearch>,
    /// The ids of the plan's frameworks that the user left out.
    pub excluded: Vec<String>,
    /// Flags that were replaced or removed.
    pub substitutions: Vec<Substitution>,
    /// Why the run ended before its end (cancelled, failed), if it did.
    pub interrupted: Option<String>,
    /// What was compared besides `rows`, where there were too many: `rows` are then the best and the first ones.
    pub left_out: Option<LeftOut>,
    /// Further caveats, in words.
    pub notes: Vec<String>,
}

impl Report {
    /// Makes the report. The SLA verdict of every row is recomputed from its figures.
    ///
    /// Rows without a plan may be several runs of one measurement: see [`fold_runs`].
    pub fn build(mut input: ReportInput<'_>) -> Report {
        for row in &mut input.rows {
            row.recompute_sla();
        }
        let mut rows = std::mem::take(&mut input.rows);
        if input.plan.is_none() {
            let (kept, folded) = fold_runs(rows);
            rows = kept;
            input.also_measured.extend(folded);
        }
        let fairness = fairness::prove(rows.iter().chain(&input.also_measured));
        rows.iter_mut().for_each(|row| fairness::fill_normalization(&fairness, row));
        let mut draft = Draft::new(&input, &rows);
        draft.unfair = fairness.iter().any(|line| line.finding == Finding::Fail);
        let confidence = Confidence::of(&rows, &draft.scenarios, &draft.competing, input.preference);
        draft.machine_changed = confidence.as_ref().is_some_and(Confidence::machine_changed);
        let best_by_framework = draft.framework_tables(&ranking::best_by_framework(&rows, &draft.competing));
        let comparisons = draft.comparisons();
        let profiler_handoffs = draft.handoffs(&comparisons);
        let other_modes = draft.other_modes();
        let Draft { mode, order, scenarios, flow_check, baseline_only, .. } = draft;
        let mut report = Report {
            schema_version: REPORT_SCHEMA_VERSION,
            title: title(&input, &rows),
            run_ids: input.run_ids.clone(),
            simulated: simulated(&rows),
            flow_check,
            workload: workload(input.plan, &rows, &scenarios),
            sla: sla(input.plan, &rows),
            preference: input.preference,
            hardware: hardware(&input, &rows),
            versions: versions(&rows),
            primary_mode: mode,
            candidates: candidates(&input, &rows).max(input.left_out.map_or(0, |left| left.candidates)),
            left_out: input.left_out,
            searches: input.searches.clone(),
            best_by_framework,
            comparisons,
            other_modes,
            confidence,
            search_curves: std::mem::take(&mut input.search_curves),
            profiles: Vec::new(),
            not_selected: not_selected(&rows),
            fairness,
            caveats: Vec::new(),
            profiler_handoffs,
            order,
            rows,
        };
        report.caveats = caveats(&report, &input, baseline_only);
        report
    }
}

/// What the parts of a report are computed from.
struct Draft<'a> {
    rows: &'a [ResultRow],
    preference: Preference,
    mode: Option<LoadMode>,
    /// All rows, best first.
    order: Vec<usize>,
    /// The rows of the primary mode, best first.
    competing: Vec<usize>,
    scenarios: Vec<String>,
    frameworks: Vec<String>,
    flow_check: bool,
    interrupted: bool,
    unfair: bool,
    machine_changed: bool,
    baseline_only: Vec<String>,
}

impl<'a> Draft<'a> {
    fn new(input: &ReportInput<'_>, rows: &'a [ResultRow]) -> Self {
        let mode = match input.plan {
            Some(plan) => Some(plan.benchmark.primary_mode()),
            None => ranking::primary_mode(rows),
        };
        let order = ranking::rank(rows, input.preference);
        let competing = order.iter().copied().filter(|&i| in_mode(&rows[i], mode)).collect();
        let frameworks = frameworks(input, rows);
        let reason = |id: &str| input.searches.iter().any(|search| search.framework == id && search.reason.is_some());
        let baseline_only = ranking::baseline_only(rows, frameworks.iter().map(String::as_str), reason);
        let all_flow_checks = rows.iter().any(ResultRow::is_measured)
            && rows.iter().filter(|row| row.is_measured()).all(ResultRow::is_flow_check);
        Draft {
            rows,
            preference: input.preference,
            mode,
            order,
            competing,
            scenarios: scenario_names(input.plan, rows),
            frameworks,
            flow_check: all_flow_checks || input.plan.is_some_and(Plan::is_flow_check),
            interrupted: input.interrupted.is_some(),
            unfair: false,
            machine_changed: false,
            baseline_only,
        }
    }

    fn framework_tables(&self, best: &[ranking::Best]) -> Vec<FrameworkTable> {
        let table = |framework: &String| {
            let of = |scenario: &String| {
                best.iter().find(|b| b.framework == *framework && b.scenario == *scenario).map(|b| b.row)
            };
            FrameworkTable {
                framework: framework.clone(),
                rows: self.scenarios.iter().filter_map(of).collect(),
                without: self.scenarios.iter().filter(|scenario| of(scenario).is_none()).cloned().collect(),
            }
        };
        self.frameworks.iter().map(table).collect()
    }

    fn comparisons(&self) -> Vec<ScenarioComparison> {
        let mut ranked = ranking::cross_framework(self.rows, &self.competing);
        let comparison = |scenario: &String| {
            let ranked = ranked.remove(scenario).unwrap_or_default();
            ScenarioComparison { scenario: scenario.clone(), answer: self.answer(scenario, &ranked), ranked }
        };
        self.scenarios.iter().map(comparison).collect()
    }

    fn answer(&self, scenario: &str, ranked: &[usize]) -> Answer {
        let rows = self.rows;
        let anything_measured = self.competing.iter().any(|&i| rows[i].scenario() == scenario && rows[i].is_measured());
        let of_scenario = || rows.iter().filter(|row| row.scenario() == scenario);
        let simulated = of_scenario().any(ResultRow::is_simulated);
        let partly_simulated = simulated && !of_scenario().all(ResultRow::is_simulated);
        let Some(&first) = ranked.first() else {
            return Answer {
                state: AnswerState::None,
                row: None,
                framework: None,
                margin: None,
                preference: self.preference,
                measured_once: false,
                simulated,
                partly_simulated,
                doubtful: false,
                unfair: false,
                machine_changed: false,
                anything_measured,
            };
        };
        let state = if self.flow_check || rows[first].is_flow_check() {
            AnswerState::FlowCheck
        } else if self.interrupted || !self.baseline_only.is_empty() {
            AnswerState::Leading
        } else {
            AnswerState::Winner
        };
        let margin = ranked.get(1).map(|&second| {
            let throughput = |i: usize| self.preference.decisive(&rows[i]);
            let percent = match (throughput(first), throughput(second)) {
                (Some(best), Some(next)) if next > 0.0 => Some((best / next - 1.0) * 100.0),
                _ => None,
            };
            let difference = Difference::between(&rows[first], &rows[second], self.preference);
            Margin { percent, runner_up: rows[second].framework.clone(), row: second, difference }
        });
        Answer {
            state,
            row: Some(first),
            framework: Some(rows[first].framework.clone()),
            margin,
            preference: self.preference,
            measured_once: ranked.iter().take(2).any(|&i| rows[i].is_measured_once()),
            simulated,
            partly_simulated,
            doubtful: matches!(rows[first].validity(), Some(Validity::Doubtful(_))),
            unfair: self.unfair,
            machine_changed: self.machine_changed,
            anything_measured,
        }
    }

    fn other_modes(&self) -> Vec<ModeTable> {
        let mut modes: BTreeMap<LoadMode, Vec<usize>> = BTreeMap::new();
        for &index in &self.order {
            if let Some(mode) = self.rows[index].load_mode()
                && Some(mode) != self.mode
            {
                modes.entry(mode).or_default().push(index);
            }
        }
        modes.into_iter().map(|(mode, rows)| ModeTable { mode, rows }).collect()
    }

    fn handoffs(&self, comparisons: &[ScenarioComparison]) -> Vec<ProfilerHandoff> {
        const SGLANG: &str = "sglang";
        // An SGLang that never served has nothing to profile.
        let measured = |row: &ResultRow| row.framework == SGLANG && row.is_measured();
        if !self.competing.iter().any(|&i| measured(&self.rows[i])) {
            return Vec::new();
        }
        let behind = |c: &&ScenarioComparison| c.answer.framework.as_deref().is_some_and(|id| id != SGLANG);
        let handoff = |comparison: &ScenarioComparison| {
            let own = |&&i: &&usize| self.rows[i].framework == SGLANG && self.rows[i].scenario() == comparison.scenario;
            let (input, output) = lengths(self.rows, &comparison.scenario);
            ProfilerHandoff {
                scenario: comparison.scenario.clone(),
                row: self.competing.iter().find(|i| own(i) && self.rows[**i].is_measured()).copied(),
                input,
                output,
            }
        };
        comparisons.iter().filter(behind).map(handoff).collect()
    }
}

/// The frameworks that were asked for, then those that only rows name, in name order.
fn frameworks(input: &ReportInput<'_>, rows: &[ResultRow]) -> Vec<String> {
    let mut ids: Vec<String> = input.searches.iter().map(|search| search.framework.clone()).collect();
    if let Some(plan) = input.plan
        && ids.is_empty()
    {
        ids = plan.frameworks.keys().map(|f| f.id().to_owned()).filter(|id| !input.excluded.contains(id)).collect();
    }
    let in_rows: BTreeSet<&str> = rows.iter().map(|row| row.framework.as_str()).collect();
    ids.extend(in_rows.into_iter().filter(|id| !ids.iter().any(|i| i == id)).map(str::to_owned).collect::<Vec<_>>());
    ids
}

fn not_selected(rows: &[ResultRow]) -> Vec<NotSelected> {
    let listed = |(row, value): (usize, &ResultRow)| Some(NotSelected { row, reason: value.not_selected_reason()? });
    rows.iter().enumerate().filter_map(listed).collect()
}

/// The nodes of a cluster that rows were measured on, each with its candidates.
fn nodes(rows: &[ResultRow]) -> Vec<(String, Vec<String>)> {
    let mut nodes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        if let Some(node) = row.podium.as_ref().and_then(|podium| podium.node.as_deref()) {
            nodes.entry(node).or_default().insert(&row.candidate_id);
        }
    }
    let owned = |(node, ids): (&str, BTreeSet<&str>)| (node.to_owned(), ids.into_iter().map(str::to_owned).collect());
    nodes.into_iter().map(owned).collect()
}

fn caveats(report: &Report, input: &ReportInput<'_>, baseline_only: Vec<String>) -> Vec<Caveat> {
    let rows = &report.rows;
    let mut caveats = Vec::new();
    if report.is_simulated() {
        caveats.push(Caveat::Simulated { frameworks: report.simulated.clone() });
    }
    if report.flow_check || rows.iter().any(ResultRow::is_flow_check) {
        let eager: BTreeSet<&str> = rows.iter().filter_map(ResultRow::eager_flag).collect();
        let eager_flags = eager.into_iter().map(str::to_owned).collect();
        caveats.push(Caveat::FlowCheck { num_prompts: report.workload.num_prompts, eager_flags });
    }
    if let Some(left) = input.left_out {
        caveats.push(Caveat::LeftOut { rows: left.rows, shown: rows.len() as u64 });
    }
    if let Some(reason) = &input.interrupted {
        caveats.push(Caveat::Interrupted { reason: reason.clone() });
    }
    let nodes = nodes(rows);
    if nodes.len() > 1 {
        caveats.push(Caveat::SeveralNodes { nodes });
    }
    if !baseline_only.is_empty() {
        caveats.push(Caveat::BaselineOnly { frameworks: baseline_only });
    }
    for search in &input.searches {
        if let Some(reason) = &search.reason {
            caveats.push(Caveat::NotSearched { framework: search.framework.clone(), reason: reason.clone() });
        }
        if !search.untried.is_empty() {
            caveats.push(Caveat::Untried { framework: search.framework.clone(), values: search.untried.clone() });
        }
    }
    if report.workload.dataset_kind.as_deref() == Some("random") {
        caveats.push(Caveat::SyntheticWorkload);
    }
    caveats.extend(input.substitutions.iter().cloned().map(Caveat::Substituted));
    if !input.excluded.is_empty() {
        caveats.push(Caveat::Excluded { frameworks: input.excluded.clone() });
    }
    if report.preference == Preference::Tokens {
        caveats.push(Caveat::Preference(report.preference));
    }
    caveats.extend(measured_once(report));
    caveats.extend(report.confidence.iter().flat_map(|confidence| confidence.caveats(rows)));
    let count = |matches: fn(&ResultRow) -> bool| rows.iter().filter(|row| matches(row)).count() as u64;
    let counted = [
        Caveat::Doubtful { rows: count(|row| matches!(row.validity(), Some(Validity::Doubtful(_)))) },
        Caveat::Invalid { rows: count(|row| matches!(row.validity(), Some(Validity::Invalid(_)))) },
        Caveat::NotRecomputed { rows: count(|row| row.is_measured() && !row.sla_verdict().recomputed) },
        Caveat::UnknownValidity { rows: count(|row| row.is_measured() && row.validity().is_none()) },
    ];
    caveats.extend(counted.into_iter().filter(|caveat| !caveat.counts_nothing()));
    caveats.extend(definitions(rows));
    caveats.extend(unequal(rows));
    caveats.extend(input.notes.iter().map(|text| Caveat::Note { text: text.clone() }));
    caveats
}

/// The scenarios that are answered by single measurements.
fn measured_once(report: &Report) -> Option<Caveat> {
    let once = report.comparisons.iter().filter(|c| c.answer.row.is_some() && c.answer.measured_once);
    let scenarios: Vec<String> = once.map(|comparison| comparison.scenario.clone()).collect();
    let named = if report.confidence.is_some() { scenarios.clone() } else { Vec::new() };
    (!scenarios.is_empty()).then_some(Caveat::MeasuredOnce { scenarios: named })
}

/// What the tools that measured imported rows mean by their figures, by tool in name order.
fn definitions(rows: &[ResultRow]) -> Vec<Caveat> {
    let imported = rows.iter().filter_map(|row| row.podium.as_ref()?.imported.as_ref());
    let by_tool: BTreeMap<&str, _> = imported.map(|origin| (origin.tool.as_str(), &origin.definitions)).collect();
    let caveat = |(tool, definitions): (&str, &Vec<(String, String)>)| {
        let (tool, definitions) = (tool.to_owned(), definitions.clone());
        (!definitions.is_empty()).then_some(Caveat::Definitions { tool, definitions })
    };
    by_tool.into_iter().filter_map(caveat).collect()
}

/// A fact that a row may state.
type Fact = fn(&ResultRow) -> Option<String>;

/// What has to be equal over the rows of a fair comparison and is not.
fn unequal(rows: &[ResultRow]) -> Vec<Caveat> {
    let facts: [(&str, Fact); 5] = [
        ("model", |row| row.model.clone()),
        ("GPU model", |row| row.hardware.gpu_model.clone()),
        ("GPU count", |row| row.hardware.gpu_count.map(|count| count.to_string())),
        ("endpoint", |row| row.workload.endpoint.clone()),
        ("SLA", |row| {
            let limits = limit_texts(&row.limits());
            let texts: Vec<_> = limits.iter().map(|(metric, limit)| format!("{metric} {limit}")).collect();
            (!texts.is_empty()).then(|| texts.join(", "))
        }),
    ];
    let differing = |(what, fact): (&str, Fact)| {
        let values: BTreeSet<String> = rows.iter().filter(|row| row.is_measured()).filter_map(fact).collect();
        (values.len() > 1).then(|| Caveat::Unequal { what: what.to_owned(), values: values.into_iter().collect() })
    };
    facts.into_iter().filter_map(differing).collect()
}
