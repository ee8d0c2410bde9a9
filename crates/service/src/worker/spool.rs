//! Results that wait on disk while the database is away.
//!
//! A file per measurement, `spool/<run>/<measurement>.result` in the data folder: a line of JSON, then the requests as the
//! load process wrote them. It is whole or not there (written beside its place, synced, renamed), and it goes once the
//! database has it. Whoever claims the run next on this machine replays it under the claim's own epoch.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use podium_domain::measure::{SeriesPoint, Summary};
use podium_store::{Error as StoreError, FinishedMeasurement, Samples};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Halt;
use super::run_task::RunTask;
use crate::events::stored;
use crate::views::RunEvent;

/// The version of a file's first line.
const VERSION: u32 = 1;

/// The end of a whole file's name.
const SUFFIX: &str = "result";

/// Between two attempts to store a result while the database is away.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// The first line of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    measurement_id: Uuid,
    summary: Summary,
    series: Vec<SeriesPoint>,
    telemetry: Option<Value>,
    sla_passed: Option<bool>,
    took: Option<Duration>,
    /// How the bytes after this line are laid out; `None` where there are none.
    samples_codec: Option<String>,
    events: Vec<RunEvent>,
}

/// A result as it came back from disk.
#[derive(Debug)]
struct Spooled {
    measurement_id: Uuid,
    finished: FinishedMeasurement,
    events: Vec<RunEvent>,
}

/// The folder of all runs' waiting results.
pub(crate) fn spool_folder(data_dir: &Path) -> PathBuf {
    data_dir.join("spool")
}

fn folder_of(data_dir: &Path, run_id: Uuid) -> PathBuf {
    spool_folder(data_dir).join(run_id.to_string())
}

/// Writes a result so that it survives the end of this process and of the machine; its path.
fn put(folder: &Path, id: Uuid, finished: &FinishedMeasurement, events: &[RunEvent]) -> io::Result<PathBuf> {
    let header = Header {
        version: VERSION,
        measurement_id: id,
        summary: finished.summary.clone(),
        series: finished.series.clone(),
        telemetry: finished.telemetry.clone(),
        sla_passed: finished.sla_passed,
        took: finished.took,
        samples_codec: finished.samples.as_ref().map(|samples| samples.codec.clone()),
        events: events.to_vec(),
    };
    fs::create_dir_all(folder)?;
    let (unfinished, path) = (folder.join(format!("{id}.new")), folder.join(format!("{id}.{SUFFIX}")));
    let mut file = File::create(&unfinished)?;
    file.write_all(&serde_json::to_vec(&header)?)?;
    file.write_all(b"\n")?;
    if let Some(samples) = &finished.samples {
        file.write_all(&samples.bytes)?;
    }
    file.sync_all()?;
    fs::rename(&unfinished, &path)?;
    for folder in folder.ancestors().take(3) {
        // Its name, and those of folders that were just made, are as durable as the file then.
        File::open(folder)?.sync_all()?;
    }
    Ok(path)
}

fn take(path: &Path) -> io::Result<Spooled> {
    let bytes = fs::read(path)?;
    let end = bytes.iter().position(|&byte| byte == b'\n').ok_or_else(|| io::Error::other("it has no first line"))?;
    let header: Header = serde_json::from_slice(&bytes[..end])?;
    if header.version != VERSION {
        return Err(io::Error::other(format!("it has version {}, this Podium knows {VERSION}", header.version)));
    }
    let samples = header.samples_codec.map(|codec| Samples { codec, bytes: bytes[end + 1..].to_vec() });
    let finished = FinishedMeasurement {
        summary: header.summary,
        series: header.series,
        telemetry: header.telemetry,
        sla_passed: header.sla_passed,
        samples,
        took: header.took,
    };
    Ok(Spooled { measurement_id: header.measurement_id, finished, events: header.events })
}

/// The whole files of a folder.
fn waiting(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|end| end == SUFFIX)).collect()
}

/// Removes a file that has served, and its folder with the last one.
fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "a result that is stored was left on disk");
    }
    if let Some(folder) = path.parent() {
        // Refused while others wait there.
        let _ = fs::remove_dir(folder);
    }
}

impl RunTask<'_> {
    /// Stores a result in one transaction with its requests and events, or waits until the database takes it; it is on
    /// disk meanwhile. The wait ends when the run is no longer this worker's.
    pub(super) async fn store_result(
        &self,
        id: Uuid,
        finished: FinishedMeasurement,
        events: Vec<RunEvent>,
    ) -> Result<(), Halt> {
        let new_events: Vec<_> = events.iter().map(stored).collect();
        let mut on_disk = None;
        loop {
            match self.store().finish_measurement(&self.lease, id, &finished, &new_events).await {
                Err(error) if error.is_unavailable() => {
                    tracing::warn!(
                        error = format!("{:#}", anyhow::Error::from(error)),
                        "a result waits for the database"
                    );
                    if on_disk.is_none() {
                        let folder = folder_of(self.worker.data_dir(), self.run.id);
                        match put(&folder, id, &finished, &events) {
                            Ok(path) => on_disk = Some(path),
                            Err(error) => tracing::error!(
                                folder = %folder.display(), %error,
                                "a result that waits for the database cannot be written to disk: this process alone has it"
                            ),
                        }
                    }
                    self.check_signal()?;
                    tokio::time::sleep(STORE_RETRY).await;
                }
                outcome => {
                    outcome?;
                    if let Some(path) = on_disk {
                        remove(&path);
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Stores the results that an earlier worker of this run on this machine could not.
    pub(super) async fn replay_spool(&self) -> Result<(), Halt> {
        for path in waiting(&folder_of(self.worker.data_dir(), self.run.id)) {
            let spooled = match take(&path) {
                Ok(spooled) => spooled,
                Err(error) => {
                    let text = format!("a result that waited in {} cannot be read: {error}", path.display());
                    self.note(text).await?;
                    continue;
                }
            };
            let events: Vec<_> = spooled.events.iter().map(stored).collect();
            let outcome =
                self.store().finish_measurement(&self.lease, spooled.measurement_id, &spooled.finished, &events).await;
            match outcome {
                Ok(true) => {
                    self.note("a result that waited on disk for the database was stored".to_owned()).await?;
                }
                // It had arrived after all, or somebody decided about the measurement meanwhile.
                Ok(false) | Err(StoreError::Conflict { .. } | StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            remove(&path);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use podium_domain::measure::ClientHealth;
    use podium_domain::validity::Validity;
    use serde_json::json;

    use super::*;

    fn finished() -> FinishedMeasurement {
        let summary = json!({
            "planned": 8, "sent": 8, "completed": 8, "failed": 0, "never_sent": 0, "duration_s": 2.5,
            "request_throughput": 3.25, "output_token_throughput": 120.1, "success_rate": 1.0,
            "failures": [], "client": ClientHealth::default(), "client_limited": false, "validity": Validity::Valid,
        });
        FinishedMeasurement {
            summary: serde_json::from_value(summary).unwrap(),
            series: Vec::new(),
            telemetry: Some(json!({ "gpu": [1.5, null] })),
            sla_passed: Some(true),
            samples: Some(Samples { codec: "columns".to_owned(), bytes: b"\n\0\xff{}\n".to_vec() }),
            took: Some(Duration::from_millis(2_512)),
        }
    }

    #[test]
    fn a_result_comes_back_from_disk_as_it_was() {
        let data = tempfile::tempdir().unwrap();
        let (run_id, id) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let folder = folder_of(data.path(), run_id);
        assert!(waiting(&folder).is_empty());
        let events = [RunEvent::Note { text: "a\nb".to_owned() }];
        let path = put(&folder, id, &finished(), &events).unwrap();
        assert_eq!(put(&folder, id, &finished(), &events).unwrap(), path, "once more is the same");
        assert_eq!(waiting(&folder), std::slice::from_ref(&path));

        let back = take(&path).unwrap();
        let (was, is) = (finished(), back.finished);
        assert_eq!(back.measurement_id, id);
        assert_eq!(back.events, events);
        assert_eq!((is.summary, is.series, is.telemetry), (was.summary, was.series, was.telemetry));
        assert_eq!((is.sla_passed, is.samples, is.took), (was.sla_passed, was.samples, was.took));

        remove(&path);
        assert!(!folder.exists(), "nothing is left of a spool that was emptied");
    }

    #[test]
    fn a_file_that_was_cut_off_is_no_result() {
        let data = tempfile::tempdir().unwrap();
        let folder = folder_of(data.path(), Uuid::from_u128(1));
        let path = put(&folder, Uuid::from_u128(2), &finished(), &[]).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..40]).unwrap();
        assert!(take(&path).is_err());
        fs::write(folder.join("other.new"), "unfinished").unwrap();
        assert_eq!(waiting(&folder), [path], "one that is being written does not count");
    }
}
