//! The load process: one per measurement, so that the dashboard's work never disturbs what is measured.

use std::path::{Path, PathBuf};
use std::time::Duration;

use podium_domain::lengths::LengthSpread;
use podium_domain::measure::SeriesPoint;
use podium_launcher::{CommandError, Host, PipedProcess};
use podium_loadgen::{AgentMessage, Counters, LoadJob, LoadReport};
use podium_workload::DatasetSpec;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader, Lines};
use uuid::Uuid;

/// The load process could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    #[error(
        "the load process cannot be started: {0}. It is installed beside the podium program; build or install both, or \
         name it with PODIUM_AGENT"
    )]
    Start(CommandError),
    #[error("what the load needs could not be copied to or from the host: {0}")]
    Copy(String),
    #[error("the load process could not be talked to: {0}")]
    Pipe(#[from] std::io::Error),
    #[error("the load process wrote a line that is no message: {0}")]
    Message(#[from] serde_json::Error),
    #[error("the load cannot be made: {0}")]
    Refused(String),
    #[error("the load process ended without a result ({0})")]
    Ended(String),
}

/// What the load process says while it works.
#[derive(Debug)]
pub(crate) enum Progress {
    /// One second is over.
    Tick { point: SeriesPoint, counters: Counters },
    /// It is over.
    Done(Box<LoadReport>),
}

/// A running load process. Dropping it kills it.
pub(crate) struct Agent {
    far: Option<FarFiles>,
    process: Option<PipedProcess>,
    lines: Lines<BufReader<Box<dyn AsyncRead + Send + Unpin>>>,
}

impl Agent {
    /// Starts `program` on the host with `job`, against the engine of a launch.
    pub(crate) async fn start(
        host: &Host,
        program: &Path,
        launch_id: Uuid,
        mut job: LoadJob,
    ) -> Result<Self, AgentError> {
        let far = match host.load_is_remote() {
            true => Some(FarFiles::send(host, launch_id, &mut job).await?),
            false => None,
        };
        let mut process = host.start_load(program).await.map_err(AgentError::Start)?;
        let missing = || std::io::Error::other("it has no pipes");
        let stdout = process.stdout.take().ok_or_else(missing)?;
        let stdin = process.stdin.as_mut().ok_or_else(missing)?;
        let mut line = serde_json::to_vec(&job)?;
        line.push(b'\n');
        stdin.write_all(&line).await?;
        stdin.flush().await?;
        Ok(Agent { far, process: Some(process), lines: BufReader::new(stdout).lines() })
    }

    /// The next thing it says. Safe to drop and call again.
    pub(crate) async fn next(&mut self) -> Result<Progress, AgentError> {
        while let Some(line) = self.lines.next_line().await? {
            match serde_json::from_str(&line)? {
                AgentMessage::WarmingUp { .. } | AgentMessage::Started { .. } => {}
                AgentMessage::Tick { point, counters } => return Ok(Progress::Tick { point, counters }),
                AgentMessage::Done { report } => return Ok(Progress::Done(report)),
                AgentMessage::Error { message } => return Err(AgentError::Refused(message)),
            }
        }
        let Some(process) = self.process.take() else { return Err(AgentError::Ended("it is gone".to_owned())) };
        let (exit, complaints) = process.wait().await.map_err(|error| AgentError::Ended(error.to_string()))?;
        let complaints = complaints.trim();
        Err(AgentError::Ended(if complaints.is_empty() { exit.to_string() } else { format!("{exit}: {complaints}") }))
    }

    /// Copies the requests of a finished load to this machine, where they were written on another one. Without them the
    /// report still counts: it names no file then.
    pub(super) async fn bring_samples(&mut self, report: &mut LoadReport) -> Result<(), AgentError> {
        let Some(far) = &self.far else { return Ok(()) };
        let (Some(there), Some(here)) = (report.samples_path.take(), &far.samples_here) else { return Ok(()) };
        far.host.fetch_file(&there, here).await.map_err(|error| AgentError::Copy(error.to_string()))?;
        report.samples_path = Some(here.clone());
        Ok(())
    }

    /// Asks it to stop (the end of its input is the sign), and waits for its end; one that does not end is killed.
    pub(crate) async fn finish(self) {
        const PATIENCE: Duration = Duration::from_secs(5);
        // Dropped with the future, and so killed, where it takes longer.
        if let Some(process) = self.process
            && tokio::time::timeout(PATIENCE, process.wait()).await.is_err()
        {
            tracing::warn!("the load process did not end by itself; it was killed");
        }
        if let Some(far) = self.far {
            far.remove().await;
        }
    }
}

/// The files of a load that is made on another machine.
struct FarFiles {
    host: Host,
    folder: PathBuf,
    samples_here: Option<PathBuf>,
}

impl FarFiles {
    /// Puts what the job reads and writes on the host, and changes its paths accordingly.
    async fn send(host: &Host, launch_id: Uuid, job: &mut LoadJob) -> Result<Self, AgentError> {
        let folder = PathBuf::from("loads").join(launch_id.to_string());
        let far = FarFiles { host: host.clone(), folder, samples_here: job.samples_path.take() };
        match far.put_all(job).await {
            Ok(()) => Ok(far),
            Err(error) => {
                far.remove().await;
                Err(error)
            }
        }
    }

    async fn put_all(&self, job: &mut LoadJob) -> Result<(), AgentError> {
        let workload = &mut job.workload;
        if let DatasetSpec::File { path } = &mut workload.dataset {
            *path = self.copy(path, "dataset").await?;
        }
        if let Some(path) = &mut workload.tokenizer {
            if path.is_dir() {
                path.push("tokenizer.json");
            }
            *path = self.copy(path, "tokenizer.json").await?;
        }
        let spreads = [
            (&mut workload.shape.input_len, "input-lengths.txt"),
            (&mut workload.shape.output_len, "output-lengths.txt"),
        ];
        for (spread, name) in spreads {
            if let LengthSpread::Empirical { path } = spread {
                *path = self.copy(Path::new(path), name).await?.display().to_string();
            }
        }
        if self.samples_here.is_some() {
            job.samples_path = Some(self.put(&[], "samples").await?);
        }
        Ok(())
    }

    /// Copies a file of this machine; its path there.
    async fn copy(&self, here: &Path, name: &str) -> Result<PathBuf, AgentError> {
        let bytes = tokio::fs::read(here).await;
        let bytes = bytes.map_err(|error| AgentError::Copy(format!("{}: {error}", here.display())))?;
        self.put(&bytes, name).await
    }

    async fn put(&self, bytes: &[u8], name: &str) -> Result<PathBuf, AgentError> {
        let put = self.host.put_file(bytes, &self.folder.join(name)).await;
        put.map_err(|error| AgentError::Copy(error.to_string()))
    }

    async fn remove(&self) {
        if let Err(error) = self.host.remove_folder(&self.folder).await {
            tracing::warn!(%error, "the files of a load were left on its host");
        }
    }
}
