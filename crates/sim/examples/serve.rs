//! A simulated server: `cargo run -p podium-sim --example serve -- vllm org/model-8b --port 8000`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    match words.next().unwrap_or_default().parse() {
        Ok(framework) => podium_sim::run(framework, words.collect()).await,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
