//! How far the load generator's figures are from a server's own truth, and what a token costs it.
//!
//! `cargo xtask bench` builds this in release and runs it; it writes Markdown. With the names of parts (`accuracy`,
//! `open-loop`, `cost`, `memory`, `verdicts`) it runs only those; with numbers, `accuracy` takes them as its numbers of streams. `peers VLLM TOKENIZER AGENT`
//! stands alone.

mod accuracy;
mod cost;
mod measure;
mod memory;
mod open_loop;
mod peers;
mod truth_process;
mod verdicts;

const PARTS: [&str; 5] = ["accuracy", "open-loop", "cost", "memory", "verdicts"];

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(truth_process::TRUTH_SERVER_ARGUMENT) => return truth_process::serve(&arguments[1..]),
        Some(memory::CHILD_ARGUMENT) => return memory::child(&arguments[1..]),
        _ => {}
    }
    truth_process::prepare_process();
    if let Some(("peers", programs)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return peers::run(programs);
    }
    let streams: Vec<u32> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let parts: Vec<&str> = arguments.iter().map(String::as_str).filter(|a| a.parse::<u32>().is_err()).collect();
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(part)) {
        return Err(format!("there is no part {unknown:?}: use one of {}", PARTS.join(", ")).into());
    }
    let wanted = |part: &str| if parts.is_empty() { streams.is_empty() } else { parts.contains(&part) };
    if wanted("accuracy") || !streams.is_empty() {
        accuracy::run(if streams.is_empty() { &[32, 128, 512, 1024, 2048] } else { &streams })?;
    }
    if wanted("open-loop") {
        open_loop::run()?;
    }
    if wanted("cost") {
        cost::run()?;
    }
    if wanted("memory") {
        memory::run()?;
    }
    if wanted("verdicts") {
        verdicts::run()?;
    }
    Ok(())
}
