//! A report as a sequence of blocks, which Markdown and HTML render alike.

use podium_domain::load::LoadMode;
use podium_domain::report::{Answer, AnswerState, Lengths, Report, limit_texts};
use podium_domain::row::framework_name;

use super::{confidence, curves, tables};
use crate::deploy::{Deployment, Form};

/// One part of the document.
pub(super) enum Block {
    /// The title.
    Title(String),
    /// A heading under the title: level 2 or 3.
    Heading(u8, String),
    /// What has to be seen first.
    Banner { label: &'static str, text: String },
    /// The answer of one scenario.
    Answer(String),
    /// Running text.
    Paragraph(String),
    /// Facts as (what, value).
    Facts(Vec<(String, String)>),
    /// A list.
    List(Vec<String>),
    /// A table.
    Table(Table),
    /// A command to copy.
    Command { label: String, text: String },
    /// What one can open: the forms of a deployment.
    Folded { title: &'static str, forms: Vec<Form> },
    /// Where the pictures go.
    Figures,
}

/// A table whose rows all have as many cells as there are columns.
pub(super) struct Table {
    /// The columns.
    pub(super) columns: Vec<Column>,
    /// The rows.
    pub(super) rows: Vec<Vec<Cell>>,
    /// How many further rows were cut off.
    pub(super) cut: usize,
}

/// A column's header.
pub(super) struct Column {
    /// Its title, with the unit.
    pub(super) title: &'static str,
    /// Whether its cells are figures, aligned to the right.
    pub(super) numeric: bool,
}

/// A cell.
pub(super) enum Cell {
    /// Not measured, not known.
    Absent,
    /// Text.
    Text(String),
    /// An id.
    Id { text: String, simulated: bool },
    /// A figure as shown.
    Figure(String),
    /// A command.
    Command(String),
}

/// Everything that a report says, in the order in which it says it.
pub(super) fn document(report: &Report) -> Vec<Block> {
    let mut blocks = vec![Block::Title(report.title.clone())];
    banners(report, &mut blocks);
    blocks.extend(report.answers().into_iter().map(Block::Answer));
    blocks.push(Block::Figures);
    workload(report, &mut blocks);
    best_commands(report, &mut blocks);
    comparison(report, &mut blocks);
    blocks.extend(confidence::repeats(report));
    winning_commands(report, &mut blocks);
    blocks.extend(curves::search_curves(report));
    other_modes(report, &mut blocks);
    not_selected(report, &mut blocks);
    fairness(report, &mut blocks);
    caveats(report, &mut blocks);
    profiler(report, &mut blocks);
    artifacts(report, &mut blocks);
    blocks
}

fn banners(report: &Report, blocks: &mut Vec<Block>) {
    if report.is_simulated() {
        let names: Vec<_> = report.simulated.iter().map(|id| framework_name(id)).collect();
        let text = format!("the figures of {} come from simulated engines.", names.join(", "));
        blocks.push(Block::Banner { label: "simulated", text });
    }
    if report.flow_check {
        let text = "this run shows that everything works; it has no winner.".to_owned();
        blocks.push(Block::Banner { label: "flow check", text });
    }
    if let Some(text) = report.unfair_text() {
        blocks.push(Block::Banner { label: "unfair comparison", text });
    }
    let leading = |state| report.comparisons.iter().any(|c| c.answer.state == state);
    if leading(AnswerState::Leading) {
        let text = "the search is incomplete, so there is no winner yet; the caveats say what is missing.".to_owned();
        blocks.push(Block::Banner { label: "leading, search incomplete", text });
    }
}

fn heading(text: &str) -> Block {
    Block::Heading(2, text.to_owned())
}

fn workload(report: &Report, blocks: &mut Vec<Block>) {
    let workload = &report.workload;
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut fact = |what: &str, value: Option<String>| facts.extend(value.map(|value| (what.to_owned(), value)));
    fact("Model", workload.model.clone());
    fact("Tokenizer", workload.tokenizer.clone());
    fact("Precision", workload.precision.clone());
    fact("Quantization", workload.quantization.clone());
    fact("Dataset", dataset(report));
    fact("Requests per measurement", workload.num_prompts.map(|n| n.to_string()));
    fact("Endpoint", workload.endpoint.clone());
    fact("Load", (!workload.loads.is_empty()).then(|| workload.loads.join("; ")));
    fact("Ranked by", report.primary_mode.map(|mode| mode_name(mode).to_owned()));
    for scenario in &workload.scenarios {
        let text = format!("{} input tokens, {} output tokens", length(scenario.input), length(scenario.output));
        fact(&format!("Scenario {}", scenario.name), Some(text));
    }
    blocks.push(heading("Workload"));
    blocks.push(Block::Facts(facts));

    blocks.push(heading("SLA"));
    let limits = limit_texts(&report.sla);
    blocks.push(match limits.is_empty() {
        true => Block::Paragraph("No limits.".to_owned()),
        false => Block::Facts(limits.into_iter().map(|(metric, limit)| (metric.to_owned(), limit)).collect()),
    });

    blocks.push(heading("Hardware and versions"));
    let hardware = &report.hardware;
    let mut facts = Vec::new();
    let gpus = match (hardware.gpu_count, &hardware.gpu_model) {
        (Some(0), _) => Some("none: servers on the CPU".to_owned()),
        (Some(count), Some(model)) => Some(format!("{count} × {model}")),
        (Some(count), None) => Some(count.to_string()),
        (None, model) => model.clone(),
    };
    facts.extend(gpus.map(|gpus| ("GPUs per server".to_owned(), gpus)));
    if let Some(host) = &hardware.host {
        facts.push(("Host".to_owned(), host.name.clone()));
        facts.extend(host.facts.iter().cloned());
    }
    for version in &report.versions {
        let mut text = version.version.clone().unwrap_or_else(|| "version unknown".to_owned());
        if let Some(commit) = &version.commit {
            text += &format!(" ({commit})");
        }
        if version.simulated {
            text += ", simulated";
        }
        facts.push((framework_name(&version.framework).to_owned(), text));
    }
    facts.push(("Candidates".to_owned(), report.candidates.to_string()));
    blocks.push(Block::Facts(facts));
}

fn dataset(report: &Report) -> Option<String> {
    let workload = &report.workload;
    let mut text = workload.dataset_kind.clone()?;
    if let Some(path) = &workload.dataset_path {
        text += &format!(", {path}");
    }
    if let Some(seed) = workload.seed {
        text += &format!(", seed {seed}");
    }
    Some(text)
}

/// A load mode in words.
pub(super) fn mode_name(mode: LoadMode) -> &'static str {
    match mode {
        LoadMode::RateSearch => "highest rate within the SLA",
        LoadMode::ConcurrencySearch => "most requests in flight within the SLA",
        LoadMode::Rate => "fixed rates",
        LoadMode::Concurrency => "fixed concurrency",
        LoadMode::Burst => "burst",
    }
}

fn length(lengths: Lengths) -> String {
    match lengths {
        Lengths::Exact { tokens } => tokens.to_string(),
        Lengths::Spread { p50, p95: Some(p95) } => format!("p50 {p50:.0} / p95 {p95:.0}"),
        Lengths::Spread { p50, p95: None } => format!("p50 {p50:.0}"),
        Lengths::Unknown => "an unknown number of".to_owned(),
    }
}

fn best_commands(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(heading("Best commands by framework"));
    for table in &report.best_by_framework {
        blocks.push(Block::Heading(3, framework_heading(report, &table.framework)));
        if !table.rows.is_empty() {
            blocks.push(Block::Table(tables::best(report.rows_of(&table.rows))));
        }
        if !table.without.is_empty() {
            let text = format!("No candidate to select in: {}.", table.without.join(", "));
            blocks.push(Block::Paragraph(text));
        }
    }
}

fn framework_heading(report: &Report, id: &str) -> String {
    let simulated = if report.simulated.iter().any(|s| s == id) { " (simulated)" } else { "" };
    format!("{}{simulated}", framework_name(id))
}

fn comparison(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(heading("Cross-framework best comparison"));
    for comparison in &report.comparisons {
        blocks.push(Block::Heading(3, comparison.scenario.clone()));
        blocks.push(Block::Paragraph(comparison.answer.sentence(&comparison.scenario)));
        if !comparison.ranked.is_empty() {
            let table = tables::ranked(report.rows_of(&comparison.ranked), report.preference);
            blocks.push(Block::Table(table));
        }
    }
}

fn winning_commands(report: &Report, blocks: &mut Vec<Block>) {
    if report.leaders().next().is_none() {
        return;
    }
    blocks.push(heading(match report.has_winner() {
        true => "Commands of the winners",
        false => "Commands of the leading candidates",
    }));
    for (comparison, row) in report.leaders() {
        let simulated = if row.is_simulated() { " (simulated)" } else { "" };
        let title = format!("{}: {}{simulated}", comparison.scenario, row.framework_name());
        blocks.push(Block::Heading(3, title));
        blocks.push(Block::Paragraph(state_text(&comparison.answer, &row.candidate_id)));
        let mut command = |label: &str, text: Option<&str>| {
            blocks.extend(text.map(|text| Block::Command { label: label.to_owned(), text: text.to_owned() }));
        };
        command("Launch", row.launch_command());
        command("Benchmark", row.benchmark_command.as_deref());
        // A flow check says nothing about what to deploy.
        if matches!(comparison.answer.state, AnswerState::Winner | AnswerState::Leading) {
            let forms = Deployment::of(row).map(|deployment| deployment.forms());
            blocks.extend(forms.map(|forms| Block::Folded { title: "Deploy it", forms }));
        }
    }
}

fn state_text(answer: &Answer, candidate_id: &str) -> String {
    match answer.state {
        AnswerState::Winner => format!("Candidate {candidate_id}."),
        AnswerState::Leading => format!("Candidate {candidate_id}: leading, search incomplete."),
        AnswerState::FlowCheck | AnswerState::None => format!("Candidate {candidate_id}: flow check, no winner."),
    }
}

fn other_modes(report: &Report, blocks: &mut Vec<Block>) {
    for table in &report.other_modes {
        blocks.push(heading(&format!("Other loads: {}", mode_name(table.mode))));
        blocks.push(Block::Paragraph("Not part of the ranking above.".to_owned()));
        blocks.push(Block::Table(tables::ranked_any(report.rows_of(&table.rows))));
    }
}

fn not_selected(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(heading("Failed or SLA-failing candidates"));
    if report.not_selected.is_empty() {
        blocks.push(Block::Paragraph("None.".to_owned()));
        return;
    }
    let text = "Tried configurations that were not selected: they failed, were skipped by policy, or completed and \
                missed the SLA.";
    blocks.push(Block::Paragraph(text.to_owned()));
    blocks.push(Block::Table(tables::not_selected(report)));
}

fn fairness(report: &Report, blocks: &mut Vec<Block>) {
    // Reports from before the proof was computed have none.
    if report.fairness.is_empty() {
        return;
    }
    blocks.push(heading("Fairness"));
    let text = "Computed from what every measured row says of its conditions. Unknown means that a fact is missing, not \
                that it holds.";
    blocks.push(Block::Paragraph(text.to_owned()));
    blocks.push(Block::Table(tables::fairness(report)));
}

fn caveats(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(heading("Caveats"));
    blocks.push(match report.caveats.is_empty() {
        true => Block::Paragraph("None.".to_owned()),
        false => Block::List(report.caveats.iter().map(ToString::to_string).collect()),
    });
}

fn profiler(report: &Report, blocks: &mut Vec<Block>) {
    if report.profiler_handoffs.is_empty() {
        return;
    }
    blocks.push(heading("Profiler hand-off"));
    let text = "SGLang is not the winner in these scenarios. Profile it with exactly these lengths, not with the \
                profiler's defaults.";
    blocks.push(Block::Paragraph(text.to_owned()));
    blocks.push(Block::Table(tables::handoffs(report, length)));
}

fn artifacts(report: &Report, blocks: &mut Vec<Block>) {
    let table = tables::artifacts(report);
    if !table.rows.is_empty() {
        blocks.push(heading("Artifacts"));
        blocks.push(Block::Table(table));
    }
}
