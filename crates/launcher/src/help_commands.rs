//! The commands that print what a framework's server and benchmark tools accept.

use podium_domain::framework::Framework;
use serde::{Deserialize, Serialize};

/// Whose flags a help text lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HelpOf {
    /// The server's.
    Server,
    /// A benchmark client's; never checked against server flags.
    Benchmark,
}

/// A command that prints a help text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpCommand {
    /// Whose flags it lists.
    pub of: HelpOf,
    /// The name of the file that holds the text, by which `podium validate --help-dir` knows whose it is.
    pub file_name: String,
    /// The command; to be resolved as a server command is.
    pub argv: Vec<String>,
    /// The command for releases that do not know `argv`.
    pub older: Option<Vec<String>>,
}

/// The help commands of a framework that `server_command` starts. `None` for a command that is not the framework's own:
/// a script of the user's might start a server whatever it is asked.
pub fn help_commands(framework: Framework, server_command: &[String]) -> Option<Vec<HelpCommand>> {
    let server = |file_name: &str| HelpCommand {
        of: HelpOf::Server,
        file_name: file_name.to_owned(),
        argv: with(server_command, "--help"),
        older: None,
    };
    if let [podium, sim, ..] = server_command
        && name_of(podium) == "podium"
        && sim == "sim"
    {
        return Some(vec![server(server_file(framework))]);
    }
    if !is_own(framework, server_command) {
        return None;
    }
    // The tools of an installation are beside its server.
    let tool = |words: &str| -> Vec<String> {
        server_command[..1].iter().cloned().chain(words.split(' ').map(str::to_owned)).collect()
    };
    let bench = |file_name: &str, argv: Vec<String>| HelpCommand {
        of: HelpOf::Benchmark,
        file_name: file_name.to_owned(),
        argv,
        older: None,
    };
    let mut server = server(server_file(framework));
    let tools = match framework {
        Framework::Vllm => {
            // Since 0.19 the plain form lists groups alone.
            server.older = Some(std::mem::replace(&mut server.argv, with(server_command, "--help=all")));
            vec![
                bench("vllm-bench-serve.txt", tool("bench serve --help=all")),
                bench("vllm-bench-sweep-serve.txt", tool("bench sweep serve --help=all")),
            ]
        }
        Framework::Sglang => vec![
            bench("python-m-sglang.bench_serving.txt", tool("-m sglang.bench_serving --help")),
            bench("python-m-sglang.auto_benchmark.txt", tool("-m sglang.auto_benchmark --help")),
        ],
        Framework::TensorrtLlm => vec![bench(
            "python-m-tensorrt_llm.serve.scripts.benchmark_serving.txt",
            words("python -m tensorrt_llm.serve.scripts.benchmark_serving --help"),
        )],
        Framework::Tokenspeed | Framework::LlamaCpp => Vec::new(),
    };
    Some(std::iter::once(server).chain(tools).collect())
}

/// The file name of a server's help text.
fn server_file(framework: Framework) -> &'static str {
    match framework {
        Framework::Sglang => "python-m-sglang.launch_server.txt",
        Framework::Vllm => "vllm-serve.txt",
        Framework::TensorrtLlm => "trtllm-serve-serve.txt",
        Framework::Tokenspeed => "tokenspeed-serve.txt",
        Framework::LlamaCpp => "llama-server.txt",
    }
}

/// Whether these words are the framework's own server command, by any path.
fn is_own(framework: Framework, command: &[String]) -> bool {
    let usual = words(framework.spec().server_command);
    let Some((program, rest)) = command.split_first() else { return false };
    let program = name_of(program);
    let named = match framework {
        Framework::Sglang => program.starts_with("python"),
        Framework::Tokenspeed => program == usual[0] || program == "ts",
        _ => program == usual[0],
    };
    named && rest == &usual[1..]
}

fn name_of(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn with(command: &[String], word: &str) -> Vec<String> {
    command.iter().cloned().chain([word.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(framework: Framework, command: &str) -> Option<Vec<String>> {
        let commands = help_commands(framework, &words(command))?;
        Some(commands.iter().map(|command| command.argv.join(" ")).collect())
    }

    #[test]
    fn each_framework_is_asked_in_its_own_way() {
        assert_eq!(
            shown(Framework::Vllm, "/opt/v/bin/vllm serve").unwrap(),
            [
                "/opt/v/bin/vllm serve --help=all",
                "/opt/v/bin/vllm bench serve --help=all",
                "/opt/v/bin/vllm bench sweep serve --help=all"
            ]
        );
        let older = help_commands(Framework::Vllm, &words("vllm serve")).unwrap().remove(0).older;
        assert_eq!(older, Some(words("vllm serve --help")));
        assert_eq!(
            shown(Framework::Sglang, "python3 -m sglang.launch_server").unwrap()[..2],
            ["python3 -m sglang.launch_server --help", "python3 -m sglang.bench_serving --help"]
        );
        assert_eq!(shown(Framework::TensorrtLlm, "trtllm-serve serve").unwrap().len(), 2);
        assert_eq!(shown(Framework::Tokenspeed, "ts serve").unwrap(), ["ts serve --help"]);
        assert_eq!(shown(Framework::LlamaCpp, "llama-server").unwrap(), ["llama-server --help"]);
        assert_eq!(
            shown(Framework::Vllm, "podium sim vllm --sim-startup-s 0.1").unwrap(),
            ["podium sim vllm --sim-startup-s 0.1 --help"]
        );
    }

    #[test]
    fn a_command_of_the_users_own_is_never_asked() {
        for command in ["/usr/bin/env python3 engine.py", "./serve.sh", "vllm serve --port 80", "podium serve"] {
            assert_eq!(shown(Framework::Vllm, command), None, "{command}");
        }
        assert_eq!(shown(Framework::Sglang, "python engine.py"), None);
    }
}
