//! What must be true after every round.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use podium_domain::status::{CandidateStatus, MeasurementStatus, RunStatus};
use podium_store::{Launch, Measurement};
use tokio::time::Instant;

use crate::fault::Draw;
use crate::procs;
use crate::round::{Outcome, Set};
use crate::stage::Stage;

/// How long the last process of a round may take to go.
const SETTLING: Duration = Duration::from_secs(10);

/// Notes everything that is not as it must be.
pub async fn look(stage: &Stage, set: &mut Set, draw: &Draw, outcome: &mut Outcome) {
    let stored = async {
        let run = stage.store.run(set.run_id).await?;
        let candidates = stage.store.candidates(set.run_id).await?;
        let measurements = stage.store.measurements(set.run_id).await?;
        let launches = stage.store.launches(set.run_id).await?;
        Ok::<_, podium_store::Error>((run, candidates, measurements, launches))
    };
    let (run, candidates, measurements, launches) = match stored.await {
        Ok(stored) => stored,
        Err(error) => return outcome.problems.push(format!("the database does not answer after the round: {error}")),
    };
    outcome.launches = launches.len();
    outcome.candidates = candidates.len();
    outcome.done = measurements.iter().filter(|m| m.status == MeasurementStatus::Done).count();
    let problems = &mut outcome.problems;

    // The truth about the run.
    if run.status != RunStatus::Completed {
        problems.push(format!("the run is {}: {:?}", run.status, run.failure));
    }
    for candidate in &candidates {
        match candidate.status {
            CandidateStatus::Pending | CandidateStatus::Running => {
                problems.push(format!("{} is {} in a run that has ended", candidate.candidate_id, candidate.status));
            }
            CandidateStatus::Ok => {}
            _ if candidate.failure_reason.as_deref().unwrap_or_default().is_empty() => {
                problems.push(format!("{} is {} without a reason", candidate.candidate_id, candidate.status));
            }
            _ if draw.fault.is_survived_whole() => problems.push(format!(
                "{} is {}: {}",
                candidate.candidate_id,
                candidate.status,
                candidate.failure_reason.as_deref().unwrap_or_default()
            )),
            _ => {}
        }
    }
    let ok = candidates.iter().filter(|candidate| candidate.status == CandidateStatus::Ok).count();
    if ok == 0 && draw.fault != crate::fault::Fault::DiskFull {
        problems.push("one fault took every candidate".to_owned());
    }
    look_at_measurements(set, draw, &measurements, problems);

    // Nothing done twice.
    if launches.len() > candidates.len() + 1 {
        problems.push(format!("{} launches of {} candidates", launches.len(), candidates.len()));
    }
    for launch in launches.iter().filter(|launch| launch.ended_at.is_none()) {
        problems.push(format!("the launch {} has not ended", launch.id));
    }

    nothing_left(stage, set, &launches, problems).await;
}

fn look_at_measurements(set: &Set, draw: &Draw, measurements: &[Measurement], problems: &mut Vec<String>) {
    let key = |m: &Measurement| format!("{} {} {} {}", m.candidate_id, m.scenario, m.load_point.key(), m.repeat);
    let distinct: BTreeSet<_> = measurements.iter().map(key).collect();
    if distinct.len() != measurements.len() || measurements.len() != 4 {
        problems.push(format!("{} measurements of 4", measurements.len()));
    }
    for m in measurements {
        match m.status {
            MeasurementStatus::Pending | MeasurementStatus::Measuring => {
                problems.push(format!("a measurement of {} is {} in a run that has ended", m.scenario, m.status));
            }
            MeasurementStatus::Done => {
                let times = (m.started_at, m.ended_at);
                if !matches!(times, (Some(started), Some(ended)) if started < ended) {
                    problems.push(format!("a measurement of {} ended before it began: {times:?}", m.scenario));
                }
            }
            _ if m.failure_reason.as_deref().unwrap_or_default().is_empty() => {
                problems.push(format!("a measurement of {} is {} without a reason", m.scenario, m.status));
            }
            _ if draw.fault.is_survived_whole() => {
                problems.push(format!("a measurement of {} is {}: {:?}", m.scenario, m.status, m.failure_reason));
            }
            _ => {}
        }
    }
    for (id, before) in set.seen.lock().expect("no panic while it is held").iter() {
        match measurements.iter().find(|m| m.id == *id) {
            None => problems.push(format!("the measurement {id} of {} was lost", before.scenario)),
            Some(after) if after != before => {
                problems.push(format!("the measurement {id} of {} changed after it was done", before.scenario));
            }
            Some(_) => {}
        }
    }
}

/// No process, no port, no file.
async fn nothing_left(stage: &Stage, set: &mut Set, launches: &[Launch], problems: &mut Vec<String>) {
    let deadline = Instant::now() + SETTLING;
    let left = loop {
        let left = left_now(stage, set, launches).await;
        if left.is_empty() || Instant::now() >= deadline {
            break left;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    problems.extend(left);
    // What one round left is not the next one's.
    let _ = std::fs::remove_dir_all(set.data.join("launches"));
    set.sshd = None;
    set.disk = None;
}

async fn left_now(stage: &Stage, set: &Set, launches: &[Launch]) -> Vec<String> {
    let mut left: Vec<String> = procs::of_folder(&stage.bin())
        .into_iter()
        .map(|(pid, command)| format!("process {pid} is left: {command}"))
        .collect();
    match stage.host.running_launches().await {
        Ok(running) => {
            let own =
                running.into_iter().filter(|running| launches.iter().any(|launch| launch.id == running.launch_id));
            left.extend(own.map(|running| format!("processes of a launch are left: {:?}", running.processes)));
        }
        Err(error) => left.push(error.to_string()),
    }
    for port in launches.iter().filter_map(|launch| u16::try_from(launch.port?).ok()) {
        if !stage.host.port_state(port).await.is_ok_and(|state| state.is_free()) {
            left.push(format!("port {port} is taken"));
        }
    }
    for name in ["launches", "spool"] {
        left.extend(entries(&set.data.join(name)).map(|path| format!("{path} is left")));
    }
    if let Some(sshd) = &set.sshd {
        left.extend(sshd.files_left().into_iter().map(|path| format!("{} is left on the host", path.display())));
    }
    left
}

fn entries(folder: &Path) -> impl Iterator<Item = String> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path().display().to_string())
}
