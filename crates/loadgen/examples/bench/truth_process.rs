//! The server of known timing in a process of its own, so that it neither shares nor disturbs the client's clockwork.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use podium_domain::stats::Distribution;
use podium_sim::truth::{Framing, TruthConfig, TruthRecord, TruthServer};
use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};

/// The first argument of the server's process.
pub const TRUTH_SERVER_ARGUMENT: &str = "--truth-server";
/// What the server's process writes when the first client has connected.
const CONNECTED: &str = "connected";
/// Server and client run before whatever else the machine does.
const NICE: i32 = -10;

/// What the server saw of one request. Instants are nanoseconds of the system's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct RequestTruth {
    pub read_ns: i128,
    pub first_ns: i128,
    pub last_ns: i128,
    pub tokens: u32,
}

/// What the server saw.
#[derive(Debug)]
pub struct Truth {
    /// By [`body_key`]: where bodies are alike, the last one.
    pub requests: HashMap<u64, RequestTruth>,
    /// Of all requests.
    pub tokens: u64,
    /// From the first request read to the last token written.
    pub took: Duration,
    /// Median over the gaps between all writes.
    pub itl_p50_ms: f64,
}

/// Identifies a request by its body: prompts are unique.
pub fn body_key(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}

/// Ties [`Instant`]s to the monotonic clock that all processes share.
#[derive(Debug, Clone, Copy)]
pub struct Monotonic {
    instant: Instant,
    ns: i128,
}

impl Monotonic {
    pub fn now() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Monotonic { instant: Instant::now(), ns: i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec) }
    }

    pub fn ns(&self, at: Instant) -> i128 {
        let since = at.saturating_duration_since(self.instant).as_nanos() as i128;
        let before = self.instant.saturating_duration_since(at).as_nanos() as i128;
        self.ns + since - before
    }
}

/// Allows thousands of connections and asks for the machine's attention; where that is refused, the figures show it.
pub fn prepare_process() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let _ = setpriority_process(None, NICE);
    // Where the kernel shares the processor between sessions first, a priority counts only within its own session.
    let _ = std::fs::write("/proc/self/autogroup", NICE.to_string());
}

/// A running server process.
pub struct TruthProcess {
    child: Child,
    output: Receiver<io::Result<String>>,
    pub base_url: String,
}

impl TruthProcess {
    /// Starts this program again as a server.
    pub fn start(ttft: Duration, itl: Duration) -> io::Result<Self> {
        let micros = |duration: Duration| duration.as_micros().to_string();
        let mut child = Command::new(std::env::current_exe()?)
            .args([TRUTH_SERVER_ARGUMENT, &micros(ttft), &micros(itl)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("the server has no output"))?;
        let (sender, lines) = mpsc::channel();
        // Ends with the server's output.
        thread::spawn(move || BufReader::new(output).lines().try_for_each(|line| sender.send(line)));
        let base_url = lines.recv().map_err(io::Error::other)??;
        Ok(TruthProcess { child, output: lines, base_url })
    }

    /// Whether a client has connected, after waiting for one for `at_most`.
    pub fn has_a_connection(&mut self, at_most: Duration) -> io::Result<bool> {
        match self.output.recv_timeout(at_most) {
            Ok(line) => Ok(line? == CONNECTED),
            Err(RecvTimeoutError::Timeout) => Ok(false),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// Ends the server and reads what it saw.
    pub fn finish(mut self) -> io::Result<Truth> {
        // The end of its input ends the server.
        drop(self.child.stdin.take());
        let mut truth = Truth { requests: HashMap::new(), tokens: 0, took: Duration::ZERO, itl_p50_ms: f64::NAN };
        let (mut first_ns, mut last_ns) = (i128::MAX, i128::MIN);
        for line in self.output.iter() {
            let line = line?;
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                [CONNECTED] => {}
                ["itl_p50_ms", value] => truth.itl_p50_ms = value.parse().map_err(io::Error::other)?,
                [key, read, first, last, tokens] => {
                    let request = RequestTruth {
                        read_ns: read.parse().map_err(io::Error::other)?,
                        first_ns: first.parse().map_err(io::Error::other)?,
                        last_ns: last.parse().map_err(io::Error::other)?,
                        tokens: tokens.parse().map_err(io::Error::other)?,
                    };
                    first_ns = first_ns.min(request.read_ns);
                    last_ns = last_ns.max(request.last_ns);
                    truth.tokens += u64::from(request.tokens);
                    truth.requests.insert(key.parse().map_err(io::Error::other)?, request);
                }
                _ => return Err(io::Error::other(format!("the server wrote {line:?}"))),
            }
        }
        self.child.wait()?;
        truth.took = Duration::from_nanos_u128(last_ns.saturating_sub(first_ns).max(0).unsigned_abs());
        Ok(truth)
    }
}

impl Drop for TruthProcess {
    fn drop(&mut self) {
        // Where the server was not finished; one that has ended cannot be killed, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's process: serves until its input ends, then writes what it saw.
pub fn serve(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [ttft_us, itl_us] = arguments else { return Err("the server wants two times in microseconds".into()) };
    prepare_process();
    let monotonic = Monotonic::now();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).event_interval(8).enable_all().build()?;
    let config = TruthConfig {
        ttft: Duration::from_micros(ttft_us.parse()?),
        itl: Duration::from_micros(itl_us.parse()?),
        framing: Framing { head_with_first_event: true, ..Framing::default() },
        ..TruthConfig::default()
    };
    let server = runtime.block_on(TruthServer::start(config))?;
    println!("{}", server.base_url());
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| say_when_connected(&server, &ended));
        let copied = io::copy(&mut io::stdin().lock(), &mut io::sink());
        ended.store(true, Ordering::Relaxed);
        copied
    })?;
    let output = io::stdout().lock();
    write_records(&mut io::BufWriter::new(output), &server.records(), monotonic)?;
    Ok(())
}

fn say_when_connected(server: &TruthServer, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        if server.most_connections() > 0 {
            println!("{CONNECTED}");
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Threads of the server: one cannot write tokens for 512 streams and read new requests at the same time.
const WORKERS: usize = 2;

fn write_records(output: &mut impl Write, records: &[TruthRecord], monotonic: Monotonic) -> io::Result<()> {
    let mut gaps_ms = Vec::new();
    for record in records {
        let (Some(first), Some(last)) = (record.events.first(), record.events.last()) else { continue };
        let gap_ms = |w: &[podium_sim::truth::TruthEvent]| (w[1].written_at - w[0].written_at).as_secs_f64() * 1e3;
        gaps_ms.extend(record.events.windows(2).map(gap_ms));
        writeln!(
            output,
            "{} {} {} {} {}",
            body_key(&record.body),
            monotonic.ns(record.read_at),
            monotonic.ns(first.written_at),
            monotonic.ns(last.written_at),
            record.output_tokens()
        )?;
    }
    if let Some(gaps) = Distribution::of(&mut gaps_ms) {
        writeln!(output, "itl_p50_ms {}", gaps.p50)?;
    }
    output.flush()
}
