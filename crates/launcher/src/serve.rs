//! The agent's side of [`wire`](crate::wire): one job for each process, done with the same code that works on this
//! machine.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use podium_domain::status::LaunchState;
use serde::Serialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Stdin, Stdout};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::command::CommandSpec;
use crate::engine::Engine;
use crate::environment::Environment;
use crate::local::{LocalHost, LocalHostOptions};
use crate::wire::{EngineJob, EngineNews, Job, Order, Reply, Request, RunJob, SILENCE_LIMIT, Setup, WIRE_VERSION};

/// Where the agent keeps logs and files for as long as they are needed, below the user's home.
const WORK_FOLDER: &str = ".cache/podium/work";

/// A piece of the log as it is sent.
const LOG_PIECE_BYTES: usize = 64 * 1024;

/// How long the rest of a stopped engine's log may take to be read and sent.
const LOG_END: Duration = Duration::from_secs(2);

/// Does the one job that standard input asks for: `podium-agent exec`.
pub fn serve_exec() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            // Standard error is all that is there to tell it.
            let _ = io::Write::write_all(&mut io::stderr(), format!("podium-agent cannot start: {error}\n").as_bytes());
            return ExitCode::FAILURE;
        }
    };
    let served = runtime.block_on(Lines::new().serve());
    // A read of standard input that nobody waits for must not hold up the end.
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = io::Write::write_all(&mut io::stderr(), format!("podium-agent: {error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

struct Lines {
    input: BufReader<Stdin>,
    output: Stdout,
}

impl Lines {
    fn new() -> Self {
        Self { input: BufReader::new(tokio::io::stdin()), output: tokio::io::stdout() }
    }

    async fn say(&mut self, what: &impl Serialize) -> io::Result<()> {
        say(&mut self.output, what).await
    }

    async fn serve(mut self) -> io::Result<()> {
        let mut line = String::new();
        self.input.read_line(&mut line).await?;
        let request = match serde_json::from_str::<Request>(&line) {
            Ok(request) if request.version == WIRE_VERSION => request,
            Ok(request) => {
                let text = format!("this podium-agent speaks version {WIRE_VERSION}, not {}", request.version);
                return self.say(&Reply::Error(text)).await;
            }
            Err(error) => return self.say(&Reply::Error(format!("the job cannot be read: {error}"))).await,
        };
        match prepare(request.setup) {
            Ok((host, work)) => self.carry_out(request.job, &host, &work).await,
            Err(text) => self.say(&Reply::Error(text)).await,
        }
    }

    async fn carry_out(mut self, job: Job, host: &LocalHost, work: &Path) -> io::Result<()> {
        let reply = match job {
            Job::Engine(job) => return self.engine(*job, host, work).await,
            Job::Echo => return self.echo().await,
            Job::ReadFile { path } => return self.send_file(&path).await,
            Job::WriteFile { path, bytes } => self.receive_file(work, &path, bytes).await.map(Reply::Written),
            Job::RemoveFolder { path } => remove_folder(work, &path).await.map(|()| Reply::Done),
            Job::Facts => Ok(Reply::Facts(Box::new(host.facts().await))),
            Job::Run(job) => match host.run(&command(job, host)).await {
                Ok(output) => Ok(Reply::Run(output)),
                Err(error) => Ok(Reply::Error(error.to_string())),
            },
            Job::Resolve { framework, argv, facts } => {
                Ok(Reply::Resolved(host.resolve_command(framework, &argv, &facts)))
            }
            Job::FreePort => host.free_port().map(Reply::Port),
            Job::PortState { port } => Ok(Reply::PortState(host.port_state(port))),
            Job::RunningLaunches => Ok(Reply::RunningLaunches(host.running_launches().await)),
            Job::Leftovers => Ok(Reply::Leftovers(host.leftovers().await)),
            Job::RemoveLeftover(leftover) => host.remove_leftover(&leftover).await.map(|()| Reply::Done),
            Job::Sweep { launches } => Ok(Reply::Sweep(host.sweep(&launches).await)),
        };
        self.say(&reply.unwrap_or_else(|error| Reply::Error(error.to_string()))).await
    }

    async fn echo(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        while self.input.read_until(b'\n', &mut line).await? > 0 {
            self.output.write_all(&line).await?;
            self.output.flush().await?;
            line.clear();
        }
        Ok(())
    }

    async fn receive_file(&mut self, work: &Path, path: &Path, bytes: u64) -> io::Result<PathBuf> {
        let path = below(work, path)?;
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let mut file = tokio::fs::File::create(&path).await?;
        let copied = tokio::io::copy(&mut (&mut self.input).take(bytes), &mut file).await?;
        file.flush().await?;
        if copied != bytes {
            return Err(io::Error::other(format!("only {copied} of {bytes} bytes arrived")));
        }
        Ok(path)
    }

    async fn send_file(&mut self, path: &Path) -> io::Result<()> {
        let opened = async {
            let file = tokio::fs::File::open(path).await?;
            let bytes = file.metadata().await?.len();
            Ok::<_, io::Error>((file, bytes))
        };
        match opened.await {
            Ok((file, bytes)) => {
                self.say(&Reply::File { bytes }).await?;
                tokio::io::copy(&mut file.take(bytes), &mut self.output).await?;
                self.output.flush().await
            }
            Err(error) => self.say(&Reply::Error(format!("{}: {error}", path.display()))).await,
        }
    }

    /// Stays with an engine until it is told to stop or nobody is there any more.
    async fn engine(self, job: EngineJob, host: &LocalHost, work: &Path) -> io::Result<()> {
        let Self { mut input, output } = self;
        let mut teller = Teller { output, sent: 0 };
        let folder = work.join(job.launch_id.to_string());
        let engine = match host.start(job.into_spec(folder.clone())).await {
            Ok(engine) => engine,
            Err(failure) => return say(&mut teller.output, &EngineNews::NotStarted(failure)).await,
        };
        let (orders, received) = mpsc::channel(1);
        let watched = tokio::select! {
            watched = teller.watch(&engine, received) => watched,
            // Whatever is being told then is told to nobody.
            () = silence(&mut input, orders) => Err(io::Error::other("nobody was heard of for too long")),
            () = terminated() => Err(io::Error::other("the agent was told to end")),
        };
        // Whatever happened to the connection, the engine is stopped.
        let report = engine.stop().await;
        let rest = async {
            let mut length = engine.log().length();
            let _ = tokio::time::timeout(LOG_END, length.wait_for(|length| length.closed)).await;
            watched?;
            teller.send_log(&engine).await?;
            if let Some(exit) = report.exit {
                say(&mut teller.output, &EngineNews::Exited(exit)).await?;
            }
            say(&mut teller.output, &EngineNews::Stopped(report)).await
        };
        let said = tokio::time::timeout(SILENCE_LIMIT, rest).await.map_err(io::Error::other).flatten();
        // Without its owner the log is of no use, and with one it has been sent.
        let _ = tokio::fs::remove_dir_all(&folder).await;
        said
    }
}

/// Passes orders on, and returns once none came for [`SILENCE_LIMIT`]. It reads on while an answer is being written, which
/// a dead connection may hold up for ever.
async fn silence(input: &mut (impl AsyncBufRead + Unpin), orders: mpsc::Sender<Order>) {
    let mut line = Vec::new();
    loop {
        line.clear();
        let order = match tokio::time::timeout(SILENCE_LIMIT, input.read_until(b'\n', &mut line)).await {
            Err(_) => return,
            Ok(Ok(1..)) => serde_json::from_slice(&line).unwrap_or(Order::Stop),
            Ok(_) => Order::Stop,
        };
        match order {
            // One that waits already says the same.
            Order::Beat => drop(orders.try_send(Order::Beat)),
            Order::Stop => {
                let _ = orders.send(Order::Stop).await;
                return tokio::time::sleep(SILENCE_LIMIT).await;
            }
        }
    }
}

/// Returns when this process is asked to end, as Slurm does before it takes a node away. The engine has a session of its
/// own, which no such signal reaches.
async fn terminated() {
    match signal(SignalKind::terminate()) {
        Ok(mut asked) => drop(asked.recv().await),
        Err(_) => std::future::pending().await,
    }
}

async fn say(output: &mut Stdout, what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    output.write_all(&line).await?;
    output.flush().await
}

/// Tells an engine's owner what happens to it.
struct Teller {
    output: Stdout,
    /// Bytes of the log that were told.
    sent: u64,
}

impl Teller {
    /// Tells what happens to the engine until it is to be stopped.
    async fn watch(&mut self, engine: &Engine, mut orders: mpsc::Receiver<Order>) -> io::Result<()> {
        let started = EngineNews::Started { process: engine.process(), started_at: engine.started_at() };
        say(&mut self.output, &started).await?;
        let cancel = CancellationToken::new();
        let mut ready = std::pin::pin!(engine.wait_ready(&cancel));
        let mut waiting = true;
        let (mut status, mut length) = (engine.status(), engine.log().length());
        let (mut failed, mut exited, mut more) = (false, false, false);
        let mut stage = status.borrow_and_update().stage;
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Beat) => say(&mut self.output, &EngineNews::Alive).await?,
                    Some(Order::Stop) | None => return Ok(()),
                },
                outcome = &mut ready, if waiting => {
                    waiting = false;
                    match outcome {
                        Ok(facts) => say(&mut self.output, &EngineNews::Ready(facts)).await?,
                        Err(failure) if !failed => {
                            failed = true;
                            say(&mut self.output, &EngineNews::Failed(failure)).await?;
                        }
                        Err(_) => {}
                    }
                }
                Ok(()) = status.changed() => {
                    let now = status.borrow_and_update().clone();
                    if now.stage != stage {
                        stage = now.stage;
                        say(&mut self.output, &EngineNews::Stage(stage)).await?;
                    }
                    if let Some(failure) = now.failure.filter(|_| now.state == LaunchState::Failed && !failed) {
                        failed = true;
                        say(&mut self.output, &EngineNews::Failed(failure)).await?;
                    }
                }
                Ok(()) = length.changed() => {
                    length.borrow_and_update();
                    more = true;
                }
                // One piece at a time: orders are heard while an engine floods its log.
                () = std::future::ready(()), if more => more = self.send_piece(engine).await?,
                exit = engine.exited(), if !exited => {
                    exited = true;
                    self.send_log(engine).await?;
                    if let Some(failure) = engine.failure().filter(|_| !failed) {
                        failed = true;
                        say(&mut self.output, &EngineNews::Failed(failure)).await?;
                    }
                    say(&mut self.output, &EngineNews::Exited(exit)).await?;
                }
            }
        }
    }

    /// Sends what is new in the log.
    async fn send_log(&mut self, engine: &Engine) -> io::Result<()> {
        while self.send_piece(engine).await? {}
        Ok(())
    }

    /// Sends a piece of what is new in the log, and answers whether there was one.
    async fn send_piece(&mut self, engine: &Engine) -> io::Result<bool> {
        let chunk = engine.log().read(self.sent, LOG_PIECE_BYTES)?;
        self.sent = chunk.next;
        if chunk.text.is_empty() {
            return Ok(false);
        }
        if chunk.skipped_bytes > 0 {
            let gap = format!("\n[{} bytes came too fast to be kept]\n", chunk.skipped_bytes);
            say(&mut self.output, &EngineNews::Log(gap)).await?;
        }
        say(&mut self.output, &EngineNews::Log(chunk.text)).await?;
        Ok(true)
    }
}

/// The host as configured, and the folder for logs and files.
fn prepare(setup: Setup) -> Result<(LocalHost, PathBuf), String> {
    let own = Environment::of_this_process();
    let home = own.get("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let work = home.ok_or("HOME is not set for this login")?.join(WORK_FOLDER);
    if let Some(folder) = &setup.folder {
        std::env::set_current_dir(folder)
            .map_err(|error| format!("the folder {} cannot be entered: {error}", folder.display()))?;
    }
    let pairs = own.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = Environment::from_pairs(pairs.chain(setup.env.iter().cloned()));
    let podium = setup.podium.or_else(|| environment.find_program("podium")).unwrap_or_else(|| "podium".into());
    let options = LocalHostOptions { data_dir: work.clone(), podium, environment, extra_env: setup.env };
    Ok((LocalHost::new(options).with_container(setup.container), work))
}

fn command(job: RunJob, host: &LocalHost) -> CommandSpec {
    CommandSpec {
        argv: job.argv,
        env: host.extra_env().iter().cloned().chain(job.env).collect(),
        folder: job.folder,
        stdin: job.stdin,
        deadline: Duration::from_millis(job.deadline_ms),
        output_limit_bytes: job.output_limit_bytes,
    }
}

/// A path that cannot leave the folder.
fn below(folder: &Path, path: &Path) -> io::Result<PathBuf> {
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !plain || path.as_os_str().is_empty() {
        return Err(io::Error::other(format!("{} is no path below the agent's folder", path.display())));
    }
    Ok(folder.join(path))
}

async fn remove_folder(work: &Path, path: &Path) -> io::Result<()> {
    match tokio::fs::remove_dir_all(below(work, path)?).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
