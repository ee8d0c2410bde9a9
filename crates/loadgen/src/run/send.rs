//! When each request of a measurement is sent.
//!
//! In an open loop the schedule says when a request starts, whatever became of the others; in a closed loop a slot sends
//! its next request when its last one has ended. The later turns of a session are the exception to both: their intended
//! start is the end of the turn before, plus the think time. A user who thinks holds no slot.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::{Load, Phase, join, unwind_if_panicked};
use crate::error::Error;
use crate::exchange::Failure;
use crate::sample::{FailureClass, RequestSample};
use crate::timer::PreciseTimer;

impl Load {
    /// Sends everything and waits for the answers.
    pub(super) async fn send_all(self: &Rc<Self>, phase: &Rc<Phase>) -> Result<(), Error> {
        if self.schedule.closed_loop {
            self.send_closed_loop(phase).await?
        } else {
            self.send_open_loop(phase).await?
        }
        if self.send_within.is_some() && !self.stop.is_stopped() {
            // What a measurement of set duration did not come to was not planned.
            self.samples.borrow_mut().retain(Option::is_some);
        }
        Ok(())
    }

    /// Each request starts at its time, whatever became of the others; under a cap it then waits for its turn.
    async fn send_open_loop(self: &Rc<Self>, phase: &Rc<Phase>) -> Result<(), Error> {
        let mut timer = PreciseTimer::new().map_err(Error::EventLoop)?;
        let slots = self.schedule.max_in_flight.map(|cap| Rc::new(Semaphore::new(cap as usize)));
        let mut tasks = JoinSet::new();
        for (index, &start_ns) in self.schedule.starts_ns.iter().enumerate() {
            if self.is_later_turn(index) {
                continue;
            }
            tokio::select! {
                biased;
                waited = timer.sleep_until(phase.clock.instant(start_ns)) => waited.map_err(Error::EventLoop)?,
                () = self.stop.stopped() => {}
            }
            if self.stop.is_stopped() {
                break;
            }
            // Finished tasks are dropped as the run goes, or thousands of them would pile up.
            while let Some(ended) = tasks.try_join_next() {
                unwind_if_panicked(ended);
            }
            let (load, phase, slots) = (Rc::clone(self), Rc::clone(phase), slots.clone());
            tasks.spawn_local(async move {
                let mut next = Some((index, start_ns));
                while let Some((index, start_ns)) = next {
                    next = load.send_in_slot(&phase, index, start_ns, slots.as_deref()).await;
                    if let Some((_, start_ns)) = next
                        && !load.wait_until(&phase, start_ns).await
                    {
                        return;
                    }
                }
            });
        }
        join(tasks).await;
        Ok(())
    }

    /// Sends one request of an open loop; the next turn of its session, if there is one, and when that starts.
    async fn send_in_slot(
        &self,
        phase: &Phase,
        index: usize,
        start_ns: u64,
        slots: Option<&Semaphore>,
    ) -> Option<(usize, u64)> {
        // The permit lives until the request has ended.
        let _slot = match slots {
            None => None,
            Some(slots) => tokio::select! {
                biased;
                slot = slots.acquire() => slot.ok(),
                () = self.stop.stopped() => return None,
            },
        };
        let waited_ns = if slots.is_some() { phase.clock.now_ns().saturating_sub(start_ns) } else { 0 };
        self.send_one(phase, index, start_ns, waited_ns).await
    }

    /// Waits for the intended start of a later turn; whether it may be sent then.
    async fn wait_until(&self, phase: &Phase, start_ns: u64) -> bool {
        if self.is_too_late(phase, start_ns) {
            return false;
        }
        let Ok(mut timer) = PreciseTimer::new() else {
            // Out of descriptors: the event loop's own timer is late by a millisecond at most.
            tokio::time::sleep_until(phase.clock.instant(start_ns).into()).await;
            return !self.stop.is_stopped();
        };
        tokio::select! {
            biased;
            waited = timer.sleep_until(phase.clock.instant(start_ns)) => waited.is_ok() && !self.stop.is_stopped(),
            () = self.stop.stopped() => false,
        }
    }

    /// Each slot sends its next request when its last one has ended: a turn whose time has come, else a new session.
    async fn send_closed_loop(self: &Rc<Self>, phase: &Rc<Phase>) -> Result<(), Error> {
        let planned = self.schedule.starts_ns.len();
        let slots = self.schedule.max_in_flight.map_or(planned, |slots| planned.min(slots as usize));
        let queue = Rc::new(TurnQueue::default());
        let mut tasks = JoinSet::new();
        for _ in 0..slots {
            let (load, phase, queue) = (Rc::clone(self), Rc::clone(phase), Rc::clone(&queue));
            tasks.spawn_local(async move {
                while let Some((index, start_ns)) = load.next_in_closed_loop(&phase, &queue).await {
                    let next = load.send_one(&phase, index, start_ns, 0).await;
                    queue.end(next);
                }
            });
        }
        join(tasks).await;
        Ok(())
    }

    /// The next request of a free slot and its intended start; `None` when there is nothing more to send.
    async fn next_in_closed_loop(&self, phase: &Phase, queue: &TurnQueue) -> Option<(usize, u64)> {
        loop {
            let now_ns = phase.clock.now_ns();
            if self.is_too_late(phase, now_ns) || self.stop.is_stopped() {
                return None;
            }
            let changed = queue.changed.notified();
            if let Some(index) = queue.take_due(now_ns) {
                return Some((index, now_ns));
            }
            let first = (queue.next.get()..self.schedule.starts_ns.len()).find(|index| !self.is_later_turn(*index));
            queue.next.set(first.map_or(self.schedule.starts_ns.len(), |first| first + 1));
            if let Some(index) = first {
                queue.begin();
                return Some((index, now_ns));
            }
            // No session is left to begin: a turn may come due, or a running request may bring one.
            match queue.earliest() {
                Some(start_ns) => {
                    tokio::select! {
                        may_send = self.wait_until(phase, start_ns) => {
                            if !may_send {
                                return None;
                            }
                            // Where another slot took it meanwhile, this one looks on.
                            if let Some(index) = queue.take_due(phase.clock.now_ns()) {
                                return Some((index, start_ns));
                            }
                        }
                        () = changed => {}
                    }
                }
                None if queue.running.get() > 0 => changed.await,
                None => return None,
            }
        }
    }

    /// Sends one request at last. Where it is a turn of a session that goes on: the next turn and its intended start.
    async fn send_one(
        &self,
        phase: &Phase,
        index: usize,
        scheduled_at_ns: u64,
        slot_wait_ns: u64,
    ) -> Option<(usize, u64)> {
        let request = self.workload.measured.get(index)?;
        let mut sample =
            RequestSample { index: index as u32, scheduled_at_ns, slot_wait_ns, ..RequestSample::default() };
        let failed = match self.exchanger(phase).run(request, &mut sample).await {
            Ok(()) => false,
            Err(failure) => {
                self.keep_example(failure);
                true
            }
        };
        self.watch(|early_stop| early_stop.request_ended(&sample));
        let ended_ns = sample.done_at_ns.unwrap_or_else(|| phase.clock.now_ns());
        if let Some(place) = self.samples.borrow_mut().get_mut(index) {
            *place = Some(sample);
        }
        let think_time_ns = self.later_turn(index + 1)?;
        if failed {
            self.give_up_session(index + 1, ended_ns);
            return None;
        }
        Some((index + 1, ended_ns.saturating_add(think_time_ns)))
    }

    /// The turns after a failed one cannot be asked.
    fn give_up_session(&self, from: usize, scheduled_at_ns: u64) {
        if self.stop.is_stopped() {
            return;
        }
        for index in (from..).take_while(|index| self.is_later_turn(*index)) {
            self.keep_example(Failure::cancelled("an earlier turn of its session failed"));
            if let Some(place) = self.samples.borrow_mut().get_mut(index) {
                *place = Some(RequestSample {
                    index: index as u32,
                    scheduled_at_ns,
                    failure: Some(FailureClass::Cancelled),
                    ..RequestSample::default()
                });
            }
        }
    }

    /// The think time before a planned request that follows another one in its session.
    fn later_turn(&self, index: usize) -> Option<u64> {
        let step = self.workload.measured.get(index).filter(|_| index < self.schedule.starts_ns.len())?.session?;
        (step.turn > 0).then_some(step.think_time_ns)
    }

    fn is_later_turn(&self, index: usize) -> bool {
        self.later_turn(index).is_some()
    }

    fn is_too_late(&self, phase: &Phase, start_ns: u64) -> bool {
        self.send_within.is_some_and(|within| phase.clock.instant(start_ns) >= phase.clock.zero() + within)
    }
}

/// What the slots of a closed loop share.
#[derive(Default)]
struct TurnQueue {
    /// Where the search for the next session begins.
    next: Cell<usize>,
    /// Requests that may yet bring a turn.
    running: Cell<usize>,
    /// Later turns: their intended starts and their requests.
    waiting: RefCell<BinaryHeap<Reverse<(u64, usize)>>>,
    changed: Notify,
}

impl TurnQueue {
    /// A turn whose intended start has come.
    fn take_due(&self, now_ns: u64) -> Option<usize> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.peek().is_some_and(|Reverse((start_ns, _))| *start_ns <= now_ns) {
            let Reverse((_, index)) = waiting.pop()?;
            self.begin();
            return Some(index);
        }
        None
    }

    fn earliest(&self) -> Option<u64> {
        self.waiting.borrow().peek().map(|Reverse((start_ns, _))| *start_ns)
    }

    fn begin(&self) {
        self.running.set(self.running.get() + 1);
    }

    /// A request ended, and brought the next turn of its session or none.
    fn end(&self, next: Option<(usize, u64)>) {
        self.running.set(self.running.get().saturating_sub(1));
        if let Some((index, start_ns)) = next {
            self.waiting.borrow_mut().push(Reverse((start_ns, index)));
        }
        self.changed.notify_waiters();
    }
}
