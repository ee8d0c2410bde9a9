//! A job as Slurm tells of it.

use std::time::Duration;

/// What `scontrol show job` says, reduced to what decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobFacts {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) state: JobState,
    /// Slurm's word, such as `RUNNING`.
    pub(super) word: String,
    /// Why it waits or ended: `Priority`, `Resources`.
    pub(super) reason: String,
    /// The node that it holds.
    pub(super) node: Option<String>,
    /// How often it was put back into the queue and begun again.
    pub(super) restarts: u32,
    /// It is about to be stopped for another job.
    pub(super) preempted: bool,
}

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobState {
    /// It will get its node, for the first time or again.
    Waiting,
    /// It holds its node.
    Holds,
    /// It lets go of its node; it may wait again afterwards.
    Ending,
    /// It is over.
    Over,
}

impl JobState {
    fn of(word: &str) -> Self {
        match word {
            "PENDING" | "CONFIGURING" | "REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "SPECIAL_EXIT"
            | "RESV_DEL_HOLD" => JobState::Waiting,
            "RUNNING" | "SUSPENDED" | "STOPPED" | "SIGNALING" | "RESIZING" => JobState::Holds,
            "COMPLETING" | "STAGE_OUT" => JobState::Ending,
            _ => JobState::Over,
        }
    }
}

impl JobFacts {
    /// Reads the one line of `scontrol --oneliner show job`; `None` where it is none.
    pub(super) fn read(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace().filter_map(|field| field.split_once('='));
        let all: Vec<(&str, &str)> = fields.by_ref().collect();
        // A field of the same name further on belongs to something that somebody may have written.
        let field = |name: &str| all.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let word = field("JobState")?.to_owned();
        let known = |value: &&str| !matches!(*value, "" | "(null)" | "None" | "Unknown" | "N/A");
        Some(Self {
            id: field("JobId")?.parse().ok()?,
            name: field("JobName")?.to_owned(),
            state: JobState::of(&word),
            word,
            reason: field("Reason").filter(known).unwrap_or_default().replace('_', " "),
            node: field("BatchHost").or_else(|| field("NodeList")).filter(known).map(str::to_owned),
            restarts: field("Restarts").and_then(|count| count.parse().ok()).unwrap_or_default(),
            preempted: field("PreemptTime").filter(known).is_some(),
        })
    }

    /// Whether the job no longer holds what it held after so many restarts, and what to do then; `None` where it does, or
    /// where it is not yet decided.
    pub(super) fn interruption(&self, restarts: u32) -> Option<Interruption> {
        let Self { id, word, reason, .. } = self;
        let because = if reason.is_empty() { String::new() } else { format!(", {reason}") };
        match self.state {
            JobState::Holds if self.restarts == restarts => None,
            JobState::Ending => None,
            JobState::Holds | JobState::Waiting => Some(Interruption {
                text: format!(
                    "Slurm took the node of job {id} away and put the job back into its queue ({word}{because}): it was \
                     preempted or requeued, or its node failed"
                ),
                again: true,
            }),
            JobState::Over if word == "CANCELLED" => Some(Interruption {
                text: format!("Slurm job {id} was cancelled by somebody else: see who used scancel on it"),
                again: false,
            }),
            JobState::Over => {
                let why = match word.as_str() {
                    "TIMEOUT" | "DEADLINE" => "its time limit was reached",
                    "PREEMPTED" => "another job with more rights took its node",
                    "NODE_FAIL" => "its node failed",
                    "OUT_OF_MEMORY" => "it used more memory than it had asked for",
                    _ => "see the cluster's log",
                };
                Some(Interruption { text: format!("Slurm ended job {id} ({word}{because}): {why}"), again: true })
            }
        }
    }
}

/// A job of ours that lost its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interruption {
    /// What happened, as a sentence.
    pub text: String,
    /// Whether what was being measured is to be measured again on another allocation. A job that a person cancelled is not
    /// asked for again.
    pub again: bool,
}

/// A job that waits for its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub job_id: u32,
    /// Why Slurm has not begun it; empty where it does not say.
    pub reason: String,
    /// How long it has been waited for.
    pub waited: Duration,
}

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "waiting in Slurm's queue: job {}", self.job_id)?;
        if !self.reason.is_empty() {
            write!(f, ", reason {}", self.reason)?;
        }
        match self.waited.as_secs() / 60 {
            0 => Ok(()),
            minutes => write!(f, ", {minutes} min"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Slurm 22.05 writes it, shortened.
    fn line(state: &str, more: &str) -> String {
        format!(
            "JobId=7 JobName=podium-x-0 UserId=me(1) JobState={state} Dependency=(null) BatchHost=n1 NumNodes=1 {more}\n"
        )
    }

    #[test]
    fn a_jobs_line_is_read() {
        let job = JobFacts::read(&line("RUNNING", "Reason=None Restarts=2 Comment=JobState=PENDING")).unwrap();
        assert_eq!((job.id, job.state, job.node.as_deref(), job.restarts), (7, JobState::Holds, Some("n1"), 2));
        assert_eq!((job.reason.as_str(), job.preempted), ("", false));
        let waiting =
            JobFacts::read("JobId=8 JobName=p JobState=PENDING Reason=ReqNodeNotAvail,_UnavailableNodes:n1 NodeList=")
                .unwrap();
        assert_eq!((waiting.reason.as_str(), waiting.node), ("ReqNodeNotAvail, UnavailableNodes:n1", None));
        assert_eq!(JobFacts::read("slurm_load_jobs error: Invalid job id specified"), None);
    }

    #[test]
    fn what_a_lost_node_means_is_told_by_the_state() {
        let of = |state: &str, more: &str| JobFacts::read(&line(state, more)).unwrap().interruption(1);
        assert_eq!(of("RUNNING", "Restarts=1"), None);
        assert_eq!(of("COMPLETING", "Restarts=1"), None, "what comes after is not known yet");
        for (state, restarts, again) in [
            ("RUNNING", 2, true),
            ("PENDING", 2, true),
            ("REQUEUED", 1, true),
            ("PREEMPTED", 1, true),
            ("NODE_FAIL", 1, true),
            ("TIMEOUT", 1, true),
            ("SOMETHING_NEW", 1, true),
            ("CANCELLED", 1, false),
        ] {
            let found = of(state, &format!("Restarts={restarts}")).unwrap_or_else(|| panic!("{state} is none"));
            assert_eq!(found.again, again, "{state}: {}", found.text);
            assert!(found.text.contains("job 7"), "{}", found.text);
        }
    }

    #[test]
    fn waiting_says_the_job_the_reason_and_how_long() {
        let waiting =
            |seconds| Waiting { job_id: 123, reason: "Priority".into(), waited: Duration::from_secs(seconds) };
        assert_eq!(waiting(10).to_string(), "waiting in Slurm's queue: job 123, reason Priority");
        assert_eq!(waiting(125).to_string(), "waiting in Slurm's queue: job 123, reason Priority, 2 min");
    }
}
