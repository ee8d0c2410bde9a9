//! Trials of `sglang.auto_benchmark`.

use podium_domain::flags::{FlagMap, render_flags, shell_join};
use podium_domain::framework::Framework;
use podium_domain::row::{ResultRow, RowStatus};
use serde_json::{Map, Value};

use super::client::{self, failed, note_origin, set_load};
use super::document::{count_at, map_at, number_at, text_at};
use super::{ImportOptions, Tool};

/// The row of one trial.
pub(super) fn row(document: &Map<String, Value>, options: &ImportOptions) -> ResultRow {
    let tool = Tool::SglangAutoBenchmark;
    let mut row = match map_at(document, "metrics") {
        Some(metrics) => client::row(Tool::SglangBench, metrics, options),
        None => client::blank(tool, options),
    };
    let recomputed = row.podium.as_ref().and_then(|podium| podium.imported.clone()).unwrap_or_default();
    note_origin(&mut row, tool, recomputed.recomputed, recomputed.samples);
    if options.candidate_id.is_none() {
        let number = document.get("candidate_id").map(podium_domain::flags::word).unwrap_or_default();
        let stage = text_at(document, "stage").map(|stage| format!("{stage}-")).unwrap_or_default();
        row.candidate_id = format!("{}-{stage}{number}", options.framework);
    }
    row.server_command = map_at(document, "server_flags").map(command);
    set_load(&mut row, number_at(document, "requested_qps"), count_at(document, "max_concurrency"));
    if let Some(error) = text_at(document, "error") {
        let said = [text_at(document, "diagnosis"), Some(error), text_at(document, "hint")];
        let reason = said.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let is_oom = ["out of memory", "oom"].iter().any(|word| reason.to_lowercase().contains(word));
        return failed(row, if is_oom { RowStatus::Oom } else { RowStatus::Failed }, reason);
    }
    // Limits of the user decide; else the tool's own word, as it judged by means.
    if options.limits.is_empty()
        && row.status == RowStatus::Ok
        && let Some(passed) = document.get("sla_passed").and_then(Value::as_bool)
    {
        row.sla.passed = Some(passed);
    }
    row
}

fn command(flags: &Map<String, Value>) -> String {
    let flags: FlagMap = flags.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let spec = Framework::Sglang.spec();
    let words = render_flags(&flags, spec.spelling);
    format!("{} {}", spec.server_command, shell_join(&words))
}
