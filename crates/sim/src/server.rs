//! The simulated engine behind an HTTP server, in real time.

mod console;
mod driver;
mod generate;
mod http;
mod info;
mod metrics;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use podium_domain::framework::Framework;
use tokio::net::{TcpListener, TcpSocket, lookup_host};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::{self, CliError, Command, Fault, ServerOptions};
use crate::engine::{Engine, LaunchFailure, memory};
use console::Console;
use http::App;

pub use driver::Death;

/// The exit code of a process that dies under load, as after `abort()`.
const CRASH_EXIT_CODE: u8 = 134;
/// How long a stop waits for answers that are under way.
const DRAIN: Duration = Duration::from_secs(2);
const LOAD_REPORT_EVERY: Duration = Duration::from_secs(5);
const LISTEN_BACKLOG: u32 = 4_096;

/// A simulated server inside this process. Dropping it stops it at once.
pub struct SimServer {
    addr: SocketAddr,
    app: Arc<App>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Serves on a bound listener with these options (their host and port are not looked at). The server starts loading,
/// which takes `options.startup`; until then `/health` answers 503.
///
/// # Errors
/// When the options describe an engine that does not come up.
pub fn serve_on(listener: TcpListener, options: ServerOptions) -> Result<SimServer, ServeError> {
    let addr = listener.local_addr().map_err(ServeError::Listener)?;
    let plan = memory::plan(&options.engine).map_err(ServeError::Launch)?;
    let engine = Engine::new(options.engine.clone(), plan);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let startup = options.startup;
    let hangs = options.fault == Some(Fault::Hang);
    let app = Arc::new(App::new(options, driver::start(engine, stop.clone(), &tasks)));
    let ready = Arc::clone(&app);
    let stopped = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = stopped.cancelled() => {}
            () = tokio::time::sleep(startup), if !hangs => ready.set_ready(),
        }
    });
    tasks.spawn(http::serve(listener, Arc::clone(&app), stop.clone()));
    Ok(SimServer { addr, app, stop, tasks })
}

/// Why [`serve_on`] gives no server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener is broken.
    #[error("the listener has no local address")]
    Listener(#[source] io::Error),
    /// The engine does not come up.
    #[error("the simulated engine does not start: {0:?}")]
    Launch(LaunchFailure),
}

impl SimServer {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://<addr>`, without a trailing slash.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Waits until loading is done.
    pub async fn ready(&self) {
        self.app.wait_ready().await;
    }

    /// Waits until the engine dies under its load; never returns while it is well.
    pub async fn died(&self) -> Death {
        self.app.engine.died().await
    }

    /// The engine's counters now; `None` when it is dead.
    pub async fn stats(&self) -> Option<crate::engine::Stats> {
        self.app.engine.stats().await
    }

    /// Stops accepting, lets answers under way finish for a moment, and ends all tasks.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        // Whoever is not done by then is cut off when the runtime drops its task.
        let _ = tokio::time::timeout(DRAIN, self.tasks.wait()).await;
    }
}

impl Drop for SimServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Runs a simulated server until SIGTERM or SIGINT (exit code 0), with the words after `podium sim <framework>`.
///
/// Other exit codes: 2 for a command line that is not understood, 1 when the server does not start (values that are
/// refused, no memory, port in use), 134 when it dies under load.
pub async fn run(framework: Framework, args: Vec<String>) -> ExitCode {
    let console = Console::new(framework);
    let options = match cli::parse(framework, &args, &|name| std::env::var(name).ok()) {
        Ok(Command::Serve(options)) => *options,
        Ok(Command::Print(text)) => {
            console.print(&text);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            match &error {
                CliError::Usage(text) => console.raw(text),
                CliError::Refused(text) => console.error(text),
            }
            return error.exit_code().into();
        }
    };
    match run_server(&console, options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code.into(),
    }
}

async fn run_server(console: &Console, options: ServerOptions) -> Result<(), u8> {
    // Before anything is slow, so that a signal during loading already counts.
    let (mut terminate, mut interrupt) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(error), _) | (_, Err(error)) => {
            console.error(&format!("cannot listen for signals: {error}"));
            return Err(1);
        }
    };
    let ignores_term = options.fault == Some(Fault::IgnoreTerm);
    let stopped = async {
        loop {
            tokio::select! {
                _ = terminate.recv() => if !ignores_term { return },
                _ = interrupt.recv() => return,
            }
        }
    };
    tokio::pin!(stopped);
    let server = tokio::select! {
        launched = launch(console, options) => launched?,
        () = &mut stopped => return Ok(()),
    };
    tokio::select! {
        death = server.died() => {
            console.died(&death);
            return Err(CRASH_EXIT_CODE);
        }
        never = report_load(console, &server) => match never {},
        () = &mut stopped => {}
    }
    console.info("Signal received. Draining requests and shutting down");
    server.shutdown().await;
    Ok(())
}

/// Prints a line about the load now and then, while there is any; never returns.
async fn report_load(console: &Console, server: &SimServer) -> Infallible {
    let mut before = 0;
    loop {
        tokio::time::sleep(LOAD_REPORT_EVERY).await;
        let Some(stats) = server.stats().await else { return std::future::pending().await };
        let made = stats.generation_tokens - before;
        if made > 0 || stats.waiting > 0 {
            console.load(&stats, made as f64 / LOAD_REPORT_EVERY.as_secs_f64());
        }
        before = stats.generation_tokens;
    }
}

/// Loads, listens and waits until ready; the error is the exit code.
async fn launch(console: &Console, options: ServerOptions) -> Result<SimServer, u8> {
    console.starting(&options);
    if let Some(Fault::Exit(code)) = options.fault {
        console.error("RuntimeError: the fault `exit` was asked for");
        return Err(code);
    }
    let socket = bind(&options.host, options.port).await.map_err(|error| {
        console.bind_failed(&options.host, options.port, &error);
        1u8
    })?;
    // SGLang and llama.cpp answer 503 while they load; the others listen when they are ready.
    let listens_early = matches!(options.framework, Framework::Sglang | Framework::LlamaCpp);
    let hangs = options.fault == Some(Fault::Hang);
    let failure = memory::plan(&options.engine).err();
    let loading = console.loading(options.startup, failure.is_some());
    if let Some(failure) = failure {
        loading.await;
        console.launch_failed(&options.engine, &failure);
        return Err(1);
    }
    let server = if listens_early {
        let server = listen(console, socket, options)?;
        loading.await;
        server
    } else {
        loading.await;
        if hangs {
            std::future::pending::<()>().await;
        }
        listen(console, socket, ServerOptions { startup: Duration::ZERO, ..options })?
    };
    server.ready().await;
    console.ready(server.addr());
    Ok(server)
}

async fn bind(host: &str, port: u16) -> io::Result<TcpSocket> {
    let addr = lookup_host((host, port)).await?.next().ok_or_else(|| io::Error::other("the host has no address"))?;
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A port whose last server just ended may be taken again at once.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

fn listen(console: &Console, socket: TcpSocket, options: ServerOptions) -> Result<SimServer, u8> {
    let (host, port, engine) = (options.host.clone(), options.port, options.engine.clone());
    let listener = socket.listen(LISTEN_BACKLOG).map_err(|error| {
        console.bind_failed(&host, port, &error);
        1u8
    })?;
    serve_on(listener, options).map_err(|error| {
        match error {
            ServeError::Launch(failure) => console.launch_failed(&engine, &failure),
            ServeError::Listener(error) => console.bind_failed(&host, port, &error),
        }
        1
    })
}

#[cfg(test)]
mod tests;
