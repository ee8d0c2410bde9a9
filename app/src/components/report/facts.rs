//! What to keep in mind, what to do next, and under which conditions it was measured.

use leptos::prelude::*;
use podium_domain::report::{Lengths, Report};
use podium_domain::row::framework_name;
use podium_domain::sla::Sla;

use super::tables::{head, section};
use crate::format::{figure, percent};

/// The caveats, each a sentence.
pub(super) fn caveats(report: &Report) -> AnyView {
    if report.caveats.is_empty() {
        return ().into_any();
    }
    let items = report.caveats.iter().map(|caveat| view! { <li>{caveat.to_string()}</li> }).collect_view();
    section("caveats", "Keep in mind", view! { <ul>{items}</ul> }.into_any())
}

/// What to profile where SGLang is not the winner.
pub(super) fn handoffs(report: &Report) -> AnyView {
    if report.profiler_handoffs.is_empty() {
        return ().into_any();
    }
    let rows = report
        .profiler_handoffs
        .iter()
        .map(|handoff| {
            let (input, output) = (lengths(&handoff.input), lengths(&handoff.output));
            view! {
                <tr>
                    <th scope="row">{handoff.scenario.clone()}</th>
                    <td>{input.clone()}</td>
                    <td>{output.clone()}</td>
                    <td>{format!("{input} in, 1 out")}</td>
                    <td>{format!("1 in, {output} out")}</td>
                </tr>
            }
        })
        .collect_view();
    let body = view! {
        <p>
            "SGLang is not the winner here. Profile these scenarios at exactly these lengths, not at a profiler's default ones."
        </p>
        <div class="table-scroll" tabindex="0">
            <table>
                <caption class="visually-hidden">"Scenarios to profile, lengths in tokens"</caption>
                {head(&["Scenario", "Input tokens", "Output tokens", "Prefill profile", "Decode profile"])}
                <tbody>{rows}</tbody>
            </table>
        </div>
    };
    section("profiler", "Profiler hand-off", body.into_any())
}

fn lengths(lengths: &Lengths) -> String {
    match lengths {
        Lengths::Exact { tokens } => tokens.to_string(),
        Lengths::Spread { p50, p95: Some(p95) } => format!("p50 {}, p95 {}", figure(*p50), figure(*p95)),
        Lengths::Spread { p50, p95: None } => format!("p50 {}", figure(*p50)),
        Lengths::Unknown => "not known".to_owned(),
    }
}

/// Workload, limits, hardware and versions.
pub(super) fn conditions(report: &Report) -> AnyView {
    let workload = &report.workload;
    let scenarios = workload.scenarios.iter().map(|scenario| {
        format!("{} ({} in, {} out)", scenario.name, lengths(&scenario.input), lengths(&scenario.output))
    });
    let model = [&workload.model, &workload.precision, &workload.quantization];
    let dataset = [&workload.dataset_kind, &workload.dataset_path];
    let hardware = match (report.hardware.gpu_count, &report.hardware.gpu_model) {
        (Some(0), _) => "CPU".to_owned(),
        (Some(count), Some(model)) => format!("{count}×{model}"),
        (Some(count), None) => format!("{count} GPUs"),
        (None, Some(model)) => model.clone(),
        (None, None) => String::new(),
    };
    let mut facts = vec![
        ("Model", joined(&model)),
        ("Tokenizer", workload.tokenizer.clone().unwrap_or_default()),
        ("Dataset", joined(&dataset)),
        ("Scenarios, tokens", scenarios.collect::<Vec<_>>().join("; ")),
        ("Requests per measurement", workload.num_prompts.map(|count| count.to_string()).unwrap_or_default()),
        ("Seed", workload.seed.map(|seed| seed.to_string()).unwrap_or_default()),
        ("Endpoint", workload.endpoint.clone().unwrap_or_default()),
        ("Loads", workload.loads.join("; ")),
        ("SLA", limits(&report.sla)),
        ("Hardware", hardware),
        ("Versions", versions(report)),
        ("Candidates", report.candidates.to_string()),
    ];
    if let Some(host) = &report.hardware.host {
        facts.push(("Host", host.name.clone()));
        let details = host.facts.iter().map(|(what, value)| format!("{what}: {value}"));
        facts.push(("Host facts", details.collect::<Vec<_>>().join("; ")));
    }
    let facts = facts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(what, value)| {
            view! {
                <dt>{what}</dt>
                <dd>{value}</dd>
            }
        })
        .collect_view();
    section("conditions", "Conditions", view! { <dl class="facts">{facts}</dl> }.into_any())
}

fn joined(parts: &[&Option<String>]) -> String {
    parts.iter().filter_map(|part| part.as_deref()).collect::<Vec<_>>().join(" · ")
}

fn limits(sla: &Sla) -> String {
    let latencies =
        [("p50 TTFT", sla.max_p50_ttft_ms), ("p50 TPOT", sla.max_p50_tpot_ms), ("p50 end to end", sla.max_p50_e2e_ms)];
    let latencies = latencies.into_iter().filter_map(|(name, limit)| Some(format!("{name} ≤ {} ms", figure(limit?))));
    let success = sla.min_success_rate.map(|rate| format!("success rate ≥ {}", percent(rate)));
    let limits: Vec<_> = latencies.chain(success).collect();
    if limits.is_empty() { "none: every measurement passes".to_owned() } else { limits.join(", ") }
}

fn versions(report: &Report) -> String {
    let versions = report.versions.iter().map(|version| {
        let simulated = if version.simulated { " (simulated)" } else { "" };
        let commit = version.commit.as_ref().map(|commit| format!(" at {commit}")).unwrap_or_default();
        let number = version.version.as_deref().unwrap_or("version not known");
        format!("{} {number}{commit}{simulated}", framework_name(&version.framework))
    });
    versions.collect::<Vec<_>>().join("; ")
}
