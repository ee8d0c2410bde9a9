//! Writes result rows of about 1 KB each to standard output, for measuring comparisons of very many:
//!
//! ```text
//! cargo run --release -p podium-formats --example many_rows -- 1000000 > rows.jsonl
//! ```
//!
//! Half of the rows hold the SLA, a quarter misses it, a quarter failed; the same number gives the same bytes.

use std::io::{self, BufWriter, Write};

/// More rows than this are a mistake of the caller's: 10 GB.
const MAX_ROWS: u64 = 10_000_000;

fn main() -> io::Result<()> {
    let argument = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let Some(count) = argument.filter(|count| *count <= MAX_ROWS) else {
        eprintln!("usage: many_rows COUNT, at most {MAX_ROWS}");
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut out = BufWriter::new(io::stdout().lock());
    for index in 0..count {
        row(&mut out, index)?;
    }
    out.flush()
}

fn row(out: &mut impl Write, index: u64) -> io::Result<()> {
    // A fixed mixing of the index spreads the figures.
    let mixed = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let framework = ["sglang", "vllm", "tensorrt_llm"][(index % 3) as usize];
    let scenario = ["chat", "summarization"][(index / 3 % 2) as usize];
    let (status, reason) =
        if index % 4 == 3 { ("oom", "\"CUDA out of memory. Tried to allocate 2.00 GiB\"") } else { ("ok", "null") };
    let ttft_ms = if index % 4 == 2 { 900.0 } else { 80.0 + (mixed % 400) as f64 };
    let rate = 1.0 + mixed as f64 / 1e6;
    let tokens = rate * 250.0;
    writeln!(
        out,
        "{{\"framework\": \"{framework}\", \"framework_version\": \"1.2.3\", \"candidate_id\": \
         \"{framework}-chunked-{}-{index:08x}\", \"model\": \"org/some-model-32B\", \"status\": \"{status}\", \
         \"failure_reason\": {reason}, \"hardware\": {{\"gpu_model\": \"H100\", \"gpu_count\": 4, \"visible_devices\": \
         \"0,1,2,3\"}}, \"workload\": {{\"kind\": \"random\", \"scenario\": \"{scenario}\", \"input_len\": 1000, \
         \"output_len\": 250, \"num_prompts\": 80, \"request_rate\": 8.0, \"max_concurrency\": 64, \"endpoint\": \
         \"/v1/completions\"}}, \"sla\": {{\"max_p50_ttft_ms\": 500.0, \"max_p50_tpot_ms\": 50.0, \"min_success_rate\": \
         0.99, \"passed\": true}}, \"metrics\": {{\"request_throughput\": {rate}, \"output_token_throughput\": {tokens}, \
         \"total_token_throughput\": {}, \"p50_ttft_ms\": {ttft_ms}, \"mean_ttft_ms\": {ttft_ms}, \"p99_ttft_ms\": \
         1200.5, \"p50_tpot_ms\": 21.25, \"mean_tpot_ms\": 22.0, \"p99_tpot_ms\": 40.0, \"p50_e2e_ms\": 5400.0, \
         \"success_rate\": 1.0}}, \"server_command\": \"python -m sglang.launch_server --model-path org/some-model-32B \
         --tp-size 4 --chunked-prefill-size {} --port 30000\", \"benchmark_command\": \"podium load --url \
         http://127.0.0.1:30000 --scenario {scenario}\", \"artifacts\": {{\"server_log\": \"artifacts/{index:08x}.log\"}}}}",
        mixed % 64 * 128,
        tokens * 5.0,
        mixed % 64 * 128,
    )
}
