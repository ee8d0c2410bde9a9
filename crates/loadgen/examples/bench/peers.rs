//! What a token costs this load generator and `vllm bench serve`, on the same work against the same server.
//!
//! Both run as processes of their own and are looked at from outside in the same way: the CPU time of the process and
//! its children from the first connection that the server accepts to the process's end, so that start-up and the making
//! of prompts are not counted, and the final JSON is.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use podium_domain::load::LoadPoint;
use podium_domain::stats::Distribution;
use podium_loadgen::LoadJob;
use rustix::process::{Pid, WaitId, WaitIdOptions};

use crate::Outcome;
use crate::measure::workload;
use crate::truth_process::TruthProcess;

const CONNECTIONS: u32 = 64;
const REQUESTS: u32 = 4_096;
const OUTPUT_TOKENS: u32 = 128;
const INPUT_TOKENS: u32 = 32;
/// How often both are measured, one after the other.
const PAIRS: usize = 5;
/// How often a client that has not connected is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// One client's cost.
struct Cost {
    tokens: u64,
    cpu_s: f64,
    tokens_per_s: f64,
}

impl Cost {
    fn tokens_per_cpu_s(&self) -> f64 {
        self.tokens as f64 / self.cpu_s
    }

    fn cells(&self) -> String {
        format!("{:.2} | {:.0} | {:.0}", self.cpu_s, self.tokens_per_cpu_s(), self.tokens_per_s)
    }
}

/// `arguments`: the program `vllm`, a folder with a tokenizer for it, and the program `podium-agent`.
pub fn run(arguments: &[String]) -> Outcome<()> {
    let [vllm, tokenizer, agent] = arguments else {
        return Err("peers wants the programs vllm and podium-agent, and a tokenizer between them".into());
    };
    println!("### Against a peer: {CONNECTIONS} connections, {REQUESTS} answers of {OUTPUT_TOKENS} tokens at once\n");
    println!(
        "| Podium: CPU, s | tokens per CPU-second | tokens/s | `vllm bench serve`: CPU, s | tokens per CPU-second \
         | tokens/s | Podium reads |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut times = Vec::new();
    for _ in 0..PAIRS {
        let podium = measure(|base_url| start_podium(agent, base_url))?;
        let peer = measure(|base_url| start_vllm(vllm, tokenizer, base_url))?;
        if podium.tokens != peer.tokens {
            return Err(format!("Podium read {} tokens and the peer {}", podium.tokens, peer.tokens).into());
        }
        let ratio = podium.tokens_per_cpu_s() / peer.tokens_per_cpu_s();
        times.push(ratio);
        println!("| {} | {} | {ratio:.1} × |", podium.cells(), peer.cells());
    }
    let tokens = REQUESTS * OUTPUT_TOKENS;
    if let Some(spread) = Distribution::of(&mut times) {
        println!("\nEach read {tokens} tokens. Median of {PAIRS} pairs: {:.1} ×.", spread.p50);
    }
    Ok(())
}

fn measure(start: impl FnOnce(&str) -> io::Result<Child>) -> Outcome<Cost> {
    let mut server = TruthProcess::start(Duration::ZERO, Duration::ZERO)?;
    let mut client = start(&server.base_url)?;
    let process = format!("/proc/{}/stat", client.id());
    while !server.has_a_connection(LOOK_EVERY)? {
        if let Some(status) = client.try_wait()? {
            return Err(format!("the client ended before it connected, with {status}").into());
        }
    }
    let before_s = cpu_s(&process)?;
    // Nothing looks at the client until it has ended; its times can be read then, until it is waited for.
    let pid = Pid::from_child(&client);
    rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let after_s = cpu_s(&process)?;
    let status = client.wait()?;
    if !status.success() {
        return Err(format!("the client ended with {status}").into());
    }
    let truth = server.finish()?;
    let tokens_per_s = truth.tokens as f64 / truth.took.as_secs_f64();
    Ok(Cost { tokens: truth.tokens, cpu_s: after_s - before_s, tokens_per_s })
}

/// CPU time that a process and the children it waited for have spent.
fn cpu_s(stat: &str) -> io::Result<f64> {
    let text = std::fs::read_to_string(stat)?;
    // The name in parentheses may hold anything; fields are counted from its end.
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(4).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>();
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn start_podium(agent: &str, base_url: &str) -> io::Result<Child> {
    let load = LoadPoint::Concurrency { concurrency: CONNECTIONS };
    let job = LoadJob { request_timeout_s: 120.0, ..LoadJob::new(base_url, workload(REQUESTS, OUTPUT_TOKENS), load) };
    let mut child =
        Command::new(agent).arg("load").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?;
    if let Some(stdin) = &mut child.stdin {
        // It stays open: its end would end the load.
        writeln!(stdin, "{}", serde_json::to_string(&job)?)?;
    }
    Ok(child)
}

fn start_vllm(vllm: &str, tokenizer: &str, base_url: &str) -> io::Result<Child> {
    let results = std::env::temp_dir();
    Command::new(Path::new(vllm))
        .args(["bench", "serve", "--backend", "openai", "--endpoint", "/v1/completions", "--base-url", base_url])
        .args(["--model", "truth", "--tokenizer", tokenizer, "--dataset-name", "random", "--ignore-eos"])
        .args(["--random-input-len", &INPUT_TOKENS.to_string(), "--random-output-len", &OUTPUT_TOKENS.to_string()])
        .args(["--num-prompts", &REQUESTS.to_string(), "--max-concurrency", &CONNECTIONS.to_string()])
        .args(["--ready-check-timeout-sec", "0", "--num-warmups", "0", "--disable-tqdm", "--save-result"])
        .args(["--result-filename", "podium-bench-peers.json", "--result-dir"])
        .arg(results)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
}
