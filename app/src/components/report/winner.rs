//! The answers: one card per scenario, with the command to deploy.

use leptos::prelude::*;
use podium_domain::report::{AnswerState, Margin, Report, ScenarioComparison};
use podium_domain::row::ResultRow;
use podium_domain::sla::SlaCheck;

use crate::components::Command;
use crate::format::{figure, figure_or_dash, milliseconds, percent};

/// A card per scenario.
pub(super) fn answers(report: &Report) -> AnyView {
    if report.comparisons.is_empty() {
        return view! { <p class="notice notice-warn">"Nothing was measured, so there is no answer."</p> }.into_any();
    }
    let cards = report.comparisons.iter().enumerate().map(|(index, comparison)| card(report, comparison, index));
    view! {
        <section class="answers-section" aria-label="Answers">
            {labels(report)}
            <div class="winner-cards">{cards.collect_view()}</div>
        </section>
    }
    .into_any()
}

/// What holds for the whole report.
fn labels(report: &Report) -> AnyView {
    let simulated = report.is_simulated().then(|| label("simulated", "Simulated engines made figures of this report"));
    let flow_check =
        report.flow_check.then(|| label("flow check", "It shows that everything works and names no winner"));
    let incomplete = report
        .comparisons
        .iter()
        .any(|comparison| comparison.answer.state == AnswerState::Leading)
        .then(|| label("search incomplete", "Not everything that was asked for was measured"));
    let any = simulated.is_some() || flow_check.is_some() || incomplete.is_some();
    any.then(|| view! { <p class="report-labels">{simulated} {flow_check} {incomplete}</p> }).into_any()
}

fn label(word: &'static str, title: &'static str) -> AnyView {
    view! {
        <span class="label label-warn" title=title>
            {word}
        </span>
    }
    .into_any()
}

fn card(report: &Report, comparison: &ScenarioComparison, index: usize) -> AnyView {
    let answer = &comparison.answer;
    let winner = answer.row.and_then(|row| report.row(row));
    let state = match answer.state {
        AnswerState::Winner => "winner",
        AnswerState::Leading => "leading",
        AnswerState::FlowCheck => "flow-check",
        AnswerState::None => "none",
    };
    let framework = answer.framework.clone().unwrap_or_default();
    let labels = view! {
        {answer.unfair.then(|| label("unfair comparison", "A line of the proof of fairness fails"))}
        {answer.simulated.then(|| label("simulated", "Simulated engines made these figures"))}
        {(answer.state == AnswerState::FlowCheck).then(|| label("flow check", "No winner is named"))}
        {(answer.state == AnswerState::Leading).then(|| label("search incomplete", "No winner is named yet"))}
        {answer.doubtful.then(|| label("doubtful", "The leading measurement is not above doubt"))}
        {answer.machine_changed.then(|| label("machine changed", "A baseline's repeats differ: see Repeats and confidence"))}
        {answer.margin.as_ref().is_some_and(Margin::is_tie).then(|| label("tie", "The difference to the next framework is inside the noise"))}
        {answer.measured_once.then(|| label("measured once, no interval", "Each point is measured once, so there is no interval"))}
    };
    view! {
        <article class="card winner-card" data-scenario=comparison.scenario.clone() data-state=state>
            <h2 class="card-title">{comparison.scenario.clone()}</h2>
            <p class="report-labels">{labels}</p>
            <p class=format!("answer framework framework-{framework}")>{answer.sentence(&comparison.scenario)}</p>
            {unfair(report, comparison)}
            {winner.map(|row| deployment(row, index))}
            {runner_up(report, comparison)}
        </article>
    }
    .into_any()
}

/// Why the comparison is unfair, next to its winner.
fn unfair(report: &Report, comparison: &ScenarioComparison) -> Option<AnyView> {
    let text = report.unfair_text().filter(|_| comparison.answer.unfair)?;
    Some(
        view! {
            <p class="notice notice-warn">
                <a href="#fairness">"Unfair comparison"</a>
                ": "
                {text}
            </p>
        }
        .into_any(),
    )
}

/// The figures that decided, the command to deploy and the command that measured it.
fn deployment(row: &ResultRow, index: usize) -> AnyView {
    let metrics = &row.metrics;
    let checks = row.sla_checks();
    let bars = checks.iter().filter_map(bar).collect_view();
    let command = row.launch_command().map(|command| {
        view! {
            <h3>"Deploy it with"</h3>
            <Command id=format!("command-{index}") text=command.to_owned() />
        }
    });
    let benchmark = row.benchmark_command.clone().map(|command| {
        view! {
            <details>
                <summary>"How it was measured"</summary>
                <Command id=format!("benchmark-{index}") text=command />
            </details>
        }
    });
    let doubts = row.validity().map(|validity| {
        validity.reasons().iter().map(|reason| view! { <li>{reason.text.clone()}</li> }).collect_view()
    });
    let doubts = doubts.filter(|doubts| !doubts.is_empty()).map(|doubts| view! { <ul class="reason">{doubts}</ul> });
    let load = row
        .load_text()
        .map(|load| view! { <p class="muted">{format!("At {load}, candidate {}", row.candidate_id)}</p> });
    view! {
        {load}
        {doubts}
        <dl class="figures">
            <div>
                <dt>"Requests per second"</dt>
                <dd>{figure_or_dash(metrics.request_throughput)}</dd>
            </div>
            <div>
                <dt>"p50 TTFT"</dt>
                <dd>{milliseconds_or_dash(metrics.p50_ttft_ms)}</dd>
            </div>
            <div>
                <dt>"p50 TPOT"</dt>
                <dd>{milliseconds_or_dash(metrics.p50_tpot_ms)}</dd>
            </div>
        </dl>
        <div class="sla-bars">{bars}</div>
        {command}
        {benchmark}
    }
    .into_any()
}

fn milliseconds_or_dash(value_ms: Option<f64>) -> String {
    value_ms.map_or_else(|| "–".to_owned(), milliseconds)
}

/// A limit and what was measured against it, as a bar.
fn bar(check: &SlaCheck) -> Option<AnyView> {
    let measured = check.measured?;
    let (name, is_share) = match check.key.as_str() {
        "max_p50_ttft_ms" => ("p50 TTFT", false),
        "max_p50_tpot_ms" => ("p50 TPOT", false),
        "max_p50_e2e_ms" => ("p50 end to end", false),
        "min_success_rate" => ("Success rate", true),
        other => (other, false),
    };
    let text = if is_share {
        format!("{} of at least {}", percent(measured), percent(check.limit))
    } else {
        format!("{} of {}", milliseconds(measured), milliseconds(check.limit))
    };
    let verdict =
        if check.holds == Some(false) { ("status status-bad", "missed") } else { ("status status-ok", "held") };
    // The bar ends at the limit: a missed upper limit fills it.
    let (value, max) = if is_share { (measured, 1.0) } else { (measured.min(check.limit), check.limit) };
    Some(
        view! {
            <div class="sla-bar">
                <span class="sla-name">{name.to_owned()}</span>
                <meter min="0" max=max.to_string() value=value.to_string()>
                    {text.clone()}
                </meter>
                <span class="number">{text.clone()}</span>
                <span class=verdict.0>{verdict.1}</span>
            </div>
        }
        .into_any(),
    )
}

/// The best row of the next framework, in one line.
fn runner_up(report: &Report, comparison: &ScenarioComparison) -> Option<AnyView> {
    let row = report.row(comparison.answer.margin.as_ref()?.row)?;
    let rate = row.metrics.request_throughput.map(|rate| format!(", {} req/s", figure(rate))).unwrap_or_default();
    let text = format!("Runner-up: {}{rate} ({})", row.framework_name(), row.candidate_id);
    Some(view! { <p class="runner-up muted">{text}</p> }.into_any())
}
