//! The small process that runs where the load or an engine is: no web, no database.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use podium_loadgen::{AgentMessage, LoadJob, StopHandle};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "\
Usage: podium-agent load
       podium-agent exec
       podium-agent --version

load    Runs one load job. The job is one line of JSON on standard input; what happens is written to standard output,
        one JSON object a line: warming_up, started, a tick each second, then done or error. A line `stop`, the end of
        standard input, an interrupt or SIGTERM ends the measurement early, and done then holds what was measured.
exec    Does one job of the podium that copied it here: looks at the machine, runs a command, moves a file, or starts an
        engine and stays with it. The job is one line of JSON on standard input; an engine is stopped at its end.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["load"] => load(),
        ["exec"] => podium_launcher::serve_exec(),
        ["--version" | "-V"] => print(concat!("podium-agent ", env!("CARGO_PKG_VERSION"), "\n")),
        ["--help" | "-h" | "help"] => print(USAGE),
        _ => {
            // Where standard error is closed there is nobody to tell.
            let _ = io::stderr().write_all(USAGE.as_bytes());
            ExitCode::from(2)
        }
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Runs the job on standard input.
fn load() -> ExitCode {
    raise_open_file_limit();
    let (messages, received) = mpsc::channel();
    // Writing has a thread of its own, so that a slow reader never holds up the measurement.
    let writer = thread::spawn(move || write_messages(&received));
    let (last, code) = match read_job().and_then(|job| run(&job, &messages)) {
        Ok(done) => (done, ExitCode::SUCCESS),
        Err(message) => (AgentMessage::Error { message }, ExitCode::FAILURE),
    };
    // The receiver is gone only after a failed write, which is reported below.
    let _ = messages.send(last);
    drop(messages);
    match writer.join() {
        Ok(Ok(())) => code,
        Ok(Err(_)) | Err(_) => ExitCode::FAILURE,
    }
}

fn run(job: &LoadJob, messages: &mpsc::Sender<AgentMessage>) -> Result<AgentMessage, String> {
    let stop = StopHandle::new();
    let on_input = stop.clone();
    let on_signal = stop.clone();
    stop_on_signals(on_signal).map_err(|error| format!("cannot listen for signals: {error}"))?;
    // Ends with the process: it waits on standard input, which nothing can interrupt.
    thread::spawn(move || wait_for_stop(&on_input));
    let outcome = podium_loadgen::run(job, &stop, |message| {
        if messages.send(message).is_err() {
            // Nobody reads any more.
            stop.stop();
        }
    });
    let outcome = outcome.map_err(|error| chain(&error))?;
    Ok(AgentMessage::Done { report: Box::new(outcome.report) })
}

fn read_job() -> Result<LoadJob, String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|error| format!("cannot read the job from standard input: {error}"))?;
    if line.trim().is_empty() {
        return Err("no job on standard input: write it as one line of JSON".to_owned());
    }
    serde_json::from_str(&line).map_err(|error| format!("the job on standard input cannot be read: {error}"))
}

/// Returns at the end of standard input or at a line `stop`.
fn wait_for_stop(stop: &StopHandle) {
    let ends = |line: &io::Result<String>| line.as_ref().map_or(true, |line| line.trim() == "stop");
    // Whether a line or the end came first, the answer is the same.
    let _ = io::stdin().lock().lines().find(ends);
    stop.stop();
}

/// Stops the run at an interrupt or SIGTERM from now on. The thread that listens sleeps until then and ends with the
/// process.
fn stop_on_signals(stop: StopHandle) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut signals = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = signals.0.recv() => {}
                _ = signals.1.recv() => {}
            }
        });
        stop.stop();
    });
    Ok(())
}

fn write_messages(received: &mpsc::Receiver<AgentMessage>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for message in received {
        serde_json::to_writer(&mut out, &message)?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(())
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// Allows as many connections as the system lets this process have. Where that fails, connections beyond the old limit
/// fail too and are reported as such.
fn raise_open_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
