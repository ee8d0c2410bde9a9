//! Help, version and usage errors in each framework's style.

use std::fmt::Write;

use podium_domain::flags::{spell, spell_negated};
use podium_domain::framework::{Framework, ModelArgument};
use podium_domain::knobs::KnobKind;

use super::flags::{COMMON, SIMULATOR};

const HELP_COLUMN: usize = 24;

/// The text of `--version`; it says that nothing here is real.
pub(super) fn version(framework: Framework) -> String {
    format!("{} (simulated by Podium {})", framework.name(), env!("CARGO_PKG_VERSION"))
}

fn program(framework: Framework) -> &'static str {
    match framework {
        // argparse shows the file that `python -m` runs.
        Framework::Sglang => "launch_server.py",
        other => other.spec().server_command,
    }
}

fn usage_line(framework: Framework) -> String {
    let program = program(framework);
    match framework {
        Framework::Vllm | Framework::Tokenspeed => format!("usage: {program} [model_tag] [options]"),
        Framework::Sglang => format!("usage: {program} [-h] --model-path MODEL_PATH [options]"),
        Framework::TensorrtLlm => format!("Usage: {program} [OPTIONS] MODEL"),
        Framework::LlamaCpp => format!("usage: {program} --model FNAME [options]"),
    }
}

/// A usage error with what the real parser prints around it.
pub(super) fn usage_error(framework: Framework, complaint: &str) -> String {
    let (usage, program) = (usage_line(framework), program(framework));
    match framework {
        Framework::Sglang | Framework::Vllm | Framework::Tokenspeed => {
            format!("{usage}\n{program}: error: {complaint}")
        }
        Framework::TensorrtLlm => {
            format!("{usage}\nTry '{program} --help' for help.\n\nError: {complaint}")
        }
        Framework::LlamaCpp => format!("error: {complaint}"),
    }
}

/// What is said when no model was given.
pub(super) fn missing_model(framework: Framework) -> String {
    match (framework, framework.spec().model_argument) {
        (Framework::TensorrtLlm, _) => "Missing argument 'MODEL'.".to_owned(),
        (_, ModelArgument::Positional) => "the following arguments are required: model_tag".to_owned(),
        (framework, ModelArgument::Flag(flag)) => {
            format!("the following arguments are required: {}", spell(flag, framework.spec().spelling))
        }
    }
}

/// The text of `--help`: every flag that is accepted.
pub(super) fn full(framework: Framework, lacks: &[String]) -> String {
    let has = |name: &str| !lacks.iter().any(|lacked| lacked == name);
    let mut text = usage_line(framework);
    let _ = write!(
        text,
        "\n\nA simulated {} server. Flags of the real one are accepted; what is marked * changes the simulation.\n\n",
        framework.name()
    );
    text.push_str(match framework {
        Framework::TensorrtLlm => "Options:\n",
        Framework::LlamaCpp => "----- common params -----\n\n",
        Framework::Sglang | Framework::Vllm | Framework::Tokenspeed => "options:\n",
    });
    entry(&mut text, "-h, --help", "show this help message and exit");
    entry(&mut text, "--version", "show the version and exit");
    for flag in COMMON {
        entry(&mut text, &form(framework, flag.name, flag.kind, false), flag.help);
    }
    if framework.knob("served_model_name").is_none() && framework != Framework::LlamaCpp {
        entry(
            &mut text,
            &form(framework, "served_model_name", KnobKind::Text, false),
            "Names that requests may use; the model's own by default *",
        );
    }
    for knob in framework.spec().knobs.iter().filter(|knob| has(knob.name)) {
        let marked = super::effects::of_flag(framework, knob.name).is_some();
        let help = format!("{}{}", knob.help, if marked { " *" } else { "" });
        entry(&mut text, &form(framework, knob.name, knob.kind, knob.negatable), &help);
    }
    let listed = |name: &str| {
        let positive = name.strip_prefix("no_").unwrap_or(name);
        framework.knob(name).is_some()
            || framework.knob(positive).is_some_and(|knob| knob.negatable)
            || COMMON.iter().any(|flag| flag.name == name)
            || ["help", "version", "served_model_name"].contains(&name)
    };
    for name in framework.released_flags().filter(|name| !listed(name) && has(name)) {
        entry(&mut text, &spell(name, framework.spec().spelling), "accepted, without effect on the simulation");
    }
    text.push_str("\nsimulation:\n");
    for flag in SIMULATOR {
        entry(&mut text, &form(framework, flag.name, flag.kind, false), flag.help);
    }
    text
}

fn form(framework: Framework, name: &str, kind: KnobKind, negatable: bool) -> String {
    let spelling = framework.spec().spelling;
    let mut form = spell(name, spelling);
    if negatable {
        form = format!("{form}, {}", spell_negated(name, spelling));
    }
    let click = framework == Framework::TensorrtLlm;
    let value = match kind {
        KnobKind::Bool => return form,
        KnobKind::Choice(words) if click => format!("[{}]", words.join("|")),
        KnobKind::Choice(words) => format!("{{{}}}", words.join(",")),
        KnobKind::Int if click => "INTEGER".to_owned(),
        KnobKind::Float if click => "FLOAT".to_owned(),
        KnobKind::Text | KnobKind::Json if click => "TEXT".to_owned(),
        KnobKind::Int | KnobKind::Float if framework == Framework::LlamaCpp => "N".to_owned(),
        _ => name.to_uppercase(),
    };
    format!("{form} {value}")
}

fn entry(text: &mut String, form: &str, help: &str) {
    // As argparse does it: the help starts beside a short form and below a long one.
    let written = if form.len() + 4 <= HELP_COLUMN {
        writeln!(text, "  {form:<width$}{help}", width = HELP_COLUMN - 2)
    } else {
        writeln!(text, "  {form}\n{:HELP_COLUMN$}{help}", "")
    };
    // Writing to a String cannot fail.
    debug_assert!(written.is_ok());
}
