//! What a token costs the client, against a reader that only drains its sockets.

use std::io;
use std::time::Duration;

use podium_domain::load::LoadPoint;
use podium_loadgen::workload::build;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Outcome;
use crate::measure::{measure, process_cpu_time, timed, workload};
use crate::truth_process::TruthProcess;

const CONNECTIONS: u32 = 64;
const REQUESTS: u32 = 4_096;
const OUTPUT_TOKENS: u32 = 128;
/// How a chunked body ends.
const END: &[u8] = b"0\r\n\r\n";

/// 64 connections, answers at once.
pub fn run() -> Outcome<()> {
    let measured = measure((0, 0), LoadPoint::Concurrency { concurrency: CONNECTIONS }, REQUESTS, OUTPUT_TOKENS)?;
    let podium = measured.tokens_per_cpu_s();
    let (bare, bare_per_s) = bare_reader()?;
    println!("### Cost: {CONNECTIONS} connections, {REQUESTS} answers of {OUTPUT_TOKENS} tokens at once\n");
    println!("| client | tokens per CPU-second | tokens/s | against the bare reader |");
    println!("|---|---|---|---|");
    let throughput = measured.outcome.report.summary.output_token_throughput.unwrap_or(f64::NAN);
    println!("| Podium | {podium:.0} | {throughput:.0} | {:.2} × |", podium / bare);
    println!("| bare reader | {bare:.0} | {bare_per_s:.0} | 1 |\n");
    Ok(())
}

/// Tokens per CPU-second and per second of a client that looks for nothing but the end of each answer.
fn bare_reader() -> Outcome<(f64, f64)> {
    let server = TruthProcess::start(Duration::ZERO, Duration::ZERO)?;
    let address = server.base_url.trim_start_matches("http://").to_owned();
    let requests: Vec<Vec<u8>> = build(&workload(REQUESTS, OUTPUT_TOKENS))?
        .measured
        .iter()
        .map(|request| {
            let head = format!(
                "POST /v1/completions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                request.body.len()
            );
            [head.as_bytes(), &request.body].concat()
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cpu_before = process_cpu_time();
    let share = requests.len() / CONNECTIONS as usize;
    let (drained, took) = timed(|| {
        runtime.block_on(async {
            let mut readers = tokio::task::JoinSet::new();
            for own in requests.chunks(share) {
                let (own, address) = (own.to_vec(), address.clone());
                readers.spawn(async move { drain(&address, &own).await });
            }
            while let Some(ended) = readers.join_next().await {
                ended.map_err(io::Error::other)??;
            }
            io::Result::Ok(())
        })
    });
    drained?;
    let cpu = process_cpu_time().saturating_sub(cpu_before);
    server.finish()?;
    let tokens = f64::from(REQUESTS) * f64::from(OUTPUT_TOKENS);
    Ok((tokens / cpu.as_secs_f64(), tokens / took.as_secs_f64()))
}

async fn drain(address: &str, requests: &[Vec<u8>]) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let mut buffer = vec![0; 64 * 1024];
    for request in requests {
        stream.write_all(request).await?;
        loop {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // The server writes its last chunk and this end in one go.
            if buffer[..read].ends_with(END) {
                break;
            }
        }
    }
    Ok(())
}
