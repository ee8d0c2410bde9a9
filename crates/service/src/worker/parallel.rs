//! Candidates of a run on several nodes of a cluster at once. All of it is one task: the executors take turns on it, so
//! that the run's events keep one order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use futures::future::join_all;
use podium_launcher::Host;
use podium_store::Candidate;
use tokio_util::sync::CancellationToken;

use super::Halt;
use super::lease_keeper::StopCause;
use super::run_task::RunTask;
use super::time_left::time_left;

/// Candidates that nobody has taken yet.
struct Queue {
    candidates: Mutex<VecDeque<Candidate>>,
    /// Raised once there is none, so that nobody waits for a node in vain.
    empty: CancellationToken,
    /// Candidates that were launched and ended.
    tried: AtomicU32,
    began: Instant,
}

impl Queue {
    fn next(&self) -> Option<Candidate> {
        let mut candidates = self.candidates.lock().unwrap_or_else(PoisonError::into_inner);
        let next = candidates.pop_front();
        if candidates.is_empty() {
            self.empty.cancel();
        }
        next
    }

    /// Notes that one more was tried; how long the rest will take, where that is worth saying.
    fn note_tried(&self) -> Option<String> {
        let tried = self.tried.fetch_add(1, Ordering::Relaxed) + 1;
        let left = self.candidates.lock().unwrap_or_else(PoisonError::into_inner).len();
        time_left(tried, u32::try_from(left).unwrap_or(u32::MAX), self.began.elapsed())
    }
}

impl RunTask<'_> {
    /// Tries every candidate once, on as many nodes at once as the plan allows where the host is a cluster. On any other
    /// host engines would disturb each other.
    pub(super) async fn try_all(&mut self, candidates: Vec<Candidate>) -> Result<(), Halt> {
        let at_once = match &self.place {
            Host::Cluster(_) => self.plan.search.parallelism.min(u32::try_from(candidates.len()).unwrap_or(u32::MAX)),
            Host::Local(_) | Host::Remote(_) => 1,
        };
        // A candidate of the own node may lose it and wait: only a run that stops ends that.
        let queue = Queue {
            candidates: Mutex::new(candidates.into()),
            empty: self.signal.token().child_token(),
            tried: AtomicU32::new(0),
            began: Instant::now(),
        };
        let mut others: Vec<_> = (1..at_once).map(|slot| self.for_slot(slot)).collect();
        let (own, outcomes) =
            tokio::join!(self.work_off(&queue), join_all(others.iter_mut().map(|other| other.join_in(&queue))));
        let mut outcome = own;
        for other in outcomes {
            // What stopped an executor was told to all others: it says more than their stop.
            if other.is_err() && matches!(outcome, Ok(()) | Err(Halt::Stop(StopCause::Executor))) {
                outcome = other;
            }
        }
        outcome
    }

    /// Tries candidates until there are none; a stop of this executor stops all of them.
    async fn work_off(&mut self, queue: &Queue) -> Result<(), Halt> {
        while let Some(candidate) = queue.next() {
            let tried = match self.check_signal() {
                Ok(()) => match self.skip_if_decided(&candidate).await {
                    Ok(false) => self.try_and_tell(&candidate, queue).await,
                    Ok(true) => Ok(()),
                    Err(halt) => Err(halt),
                },
                stopped => stopped,
            };
            if tried.is_err() {
                self.signal.raise(StopCause::Executor);
                return tried;
            }
        }
        Ok(())
    }

    /// Tries a candidate, and says how long the others will take.
    async fn try_and_tell(&mut self, candidate: &Candidate, queue: &Queue) -> Result<(), Halt> {
        self.try_candidate(candidate).await?;
        match queue.note_tried() {
            Some(text) => self.note(text).await,
            None => Ok(()),
        }
    }

    /// Works on a node of its own once there is one, unless all is done by then. A node that cannot be used is given back,
    /// and the others go on without it.
    async fn join_in(&mut self, queue: &Queue) -> Result<(), Halt> {
        let settled = match self.settle_while(&queue.empty).await {
            Ok(true) => self.prepare_images().await,
            Ok(false) => return Ok(()),
            Err(halt) => Err(halt),
        };
        let worked = match settled {
            Ok(()) => self.work_off(queue).await,
            Err(Halt::Refused(reason) | Halt::Failed(reason)) => {
                self.note(format!("one node less than the plan allows is used: {reason}")).await
            }
            Err(halt) => Err(halt),
        };
        if worked.is_ok()
            && let Err(error) = self.host().release().await
        {
            tracing::warn!(run_id = %self.run.id, %error, "a node was not given back before the run's end");
        }
        worked
    }
}
