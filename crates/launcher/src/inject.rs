//! What the launcher adds to a candidate's command: where to listen, the model's name, and telemetry.

use podium_domain::framework::Framework;
use serde::{Deserialize, Serialize};

/// The address that engines listen on while they are measured.
pub const ENGINE_HOST: &str = "127.0.0.1";

/// The address in a deployment command: opening it to a network is the deploying team's decision.
pub const DEPLOY_HOST: &str = "127.0.0.1";

/// The port in a deployment command: the one that the framework itself takes when none is given.
pub fn deploy_port(framework: Framework) -> u16 {
    match framework {
        Framework::Sglang => 30000,
        Framework::Vllm | Framework::TensorrtLlm | Framework::Tokenspeed => 8000,
        Framework::LlamaCpp => 8080,
    }
}

/// A candidate's command in its forms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InjectedCommand {
    /// The candidate's words and then the injected ones: what is executed, once its first word has been resolved.
    pub argv: Vec<String>,
    /// The injected words alone.
    pub injected: Vec<String>,
    /// The candidate's words with host and port: what a team deploys.
    pub deploy_argv: Vec<String>,
    /// The name to ask for in requests. An engine without such a flag lists another one under `/v1/models`.
    pub served_model_name: String,
}

/// How each framework spells what is injected. TensorRT-LLM has no flag for the model's name and reports its counters
/// without being asked; TokenSpeed has no documented switch for them.
struct Spelling {
    served_name: Option<&'static str>,
    telemetry: Option<&'static str>,
}

fn spelling(framework: Framework) -> Spelling {
    match framework {
        Framework::Sglang => Spelling { served_name: Some("--served-model-name"), telemetry: Some("--enable-metrics") },
        Framework::Vllm | Framework::Tokenspeed => {
            Spelling { served_name: Some("--served-model-name"), telemetry: None }
        }
        Framework::TensorrtLlm => Spelling { served_name: None, telemetry: None },
        Framework::LlamaCpp => Spelling { served_name: Some("--alias"), telemetry: Some("--metrics") },
    }
}

/// Adds host, port, served model name and telemetry to a candidate's command.
///
/// Host and port of the candidate are replaced in the executed form and kept in the deployed one; a served name or
/// telemetry switch that the candidate has already is left alone.
pub fn inject(framework: Framework, candidate_argv: &[String], served_model_name: &str, port: u16) -> InjectedCommand {
    let spelling = spelling(framework);
    let mut injected = vec!["--host".to_owned(), ENGINE_HOST.to_owned(), "--port".to_owned(), port.to_string()];
    let mut name = served_model_name.to_owned();
    if let Some(flag) = spelling.served_name {
        match value_of(candidate_argv, flag) {
            Some(own) => name = own.to_owned(),
            None => injected.extend([flag.to_owned(), name.clone()]),
        }
    }
    if let Some(flag) = spelling.telemetry.filter(|flag| !candidate_argv.iter().any(|word| word == flag)) {
        injected.push(flag.to_owned());
    }
    let mut argv = without_value(&without_value(candidate_argv, "--host"), "--port");
    argv.extend(injected.iter().cloned());

    let mut deploy_argv = candidate_argv.to_vec();
    for (flag, value) in [("--host", DEPLOY_HOST.to_owned()), ("--port", deploy_port(framework).to_string())] {
        if value_of(candidate_argv, flag).is_none() {
            deploy_argv.extend([flag.to_owned(), value]);
        }
    }
    InjectedCommand { argv, injected, deploy_argv, served_model_name: name }
}

/// The value of `--flag value` or `--flag=value`.
fn value_of<'a>(argv: &'a [String], flag: &str) -> Option<&'a str> {
    argv.iter().enumerate().find_map(|(index, word)| match word.strip_prefix(flag)? {
        "" => argv.get(index + 1).map(String::as_str),
        rest => rest.strip_prefix('='),
    })
}

/// The words without `--flag value` and `--flag=value`.
fn without_value(argv: &[String], flag: &str) -> Vec<String> {
    let mut kept = Vec::with_capacity(argv.len());
    let mut words = argv.iter();
    while let Some(word) = words.next() {
        match word.strip_prefix(flag) {
            Some("") => {
                words.next();
            }
            Some(rest) if rest.starts_with('=') => {}
            _ => kept.push(word.clone()),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn each_framework_gets_its_own_flags() {
        let cases = [
            (Framework::Vllm, "--host 127.0.0.1 --port 5001 --served-model-name m"),
            (Framework::Sglang, "--host 127.0.0.1 --port 5001 --served-model-name m --enable-metrics"),
            (Framework::TensorrtLlm, "--host 127.0.0.1 --port 5001"),
            (Framework::Tokenspeed, "--host 127.0.0.1 --port 5001 --served-model-name m"),
            (Framework::LlamaCpp, "--host 127.0.0.1 --port 5001 --alias m --metrics"),
        ];
        for (framework, expected) in cases {
            let command = inject(framework, &words("engine run --x 1"), "m", 5001);
            assert_eq!(command.injected, words(expected), "{framework}");
            assert_eq!(command.argv, words(&format!("engine run --x 1 {expected}")), "{framework}");
            let deployed = format!("engine run --x 1 --host 127.0.0.1 --port {}", deploy_port(framework));
            assert_eq!(command.deploy_argv, words(&deployed), "{framework}");
        }
    }

    #[test]
    fn the_candidates_own_words_are_respected() {
        let own = words("llama-server --port 80 --host=0.0.0.0 --alias mine --metrics --portal x");
        let command = inject(Framework::LlamaCpp, &own, "m", 5001);
        assert_eq!(command.argv, words("llama-server --alias mine --metrics --portal x --host 127.0.0.1 --port 5001"));
        assert_eq!(command.deploy_argv, own);
        assert_eq!(command.served_model_name, "mine");
    }
}
