//! How often passwords may be tried, in a memory that never grows.
//!
//! Names and addresses share a fixed number of counters, chosen by a hash with a key of this process: whoever tries many
//! names cannot push out the counter of another one, and nobody can find out which names share one.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Counters for names, and as many for addresses.
const COUNTERS: usize = 4096;

/// What one counter allows.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    /// Tries at once.
    burst: u32,
    /// One more after this long.
    refill: Duration,
}

const PER_NAME: Allowance = Allowance { burst: 8, refill: Duration::from_secs(30) };

/// People behind one address are many.
const PER_ADDRESS: Allowance = Allowance { burst: 40, refill: Duration::from_secs(6) };

/// Tries that were made and not forgotten yet.
#[derive(Debug, Clone, Copy)]
struct Counter {
    tries: u32,
    /// When the last one was forgotten.
    since: Instant,
}

impl Counter {
    fn forget(&mut self, allowance: Allowance, now: Instant) {
        let forgotten = now.saturating_duration_since(self.since).as_secs() / allowance.refill.as_secs();
        let forgotten = u32::try_from(forgotten).unwrap_or(u32::MAX);
        self.tries = self.tries.saturating_sub(forgotten);
        self.since = if self.tries == 0 { now } else { self.since + allowance.refill * forgotten };
    }
}

#[derive(Debug)]
pub(super) struct Throttle {
    names: Vec<Counter>,
    addresses: Vec<Counter>,
    key: RandomState,
}

impl Throttle {
    pub(super) fn new(now: Instant) -> Self {
        let fresh = vec![Counter { tries: 0, since: now }; COUNTERS];
        Self { names: fresh.clone(), addresses: fresh, key: RandomState::new() }
    }

    /// Counts a try, unless there were too many for this name or from this address.
    pub(super) fn take(&mut self, name: &str, address: Option<IpAddr>, now: Instant) -> bool {
        let (by_name, by_address) = self.counters(name, address);
        by_name.forget(PER_NAME, now);
        by_address.forget(PER_ADDRESS, now);
        let is_allowed = by_name.tries < PER_NAME.burst && by_address.tries < PER_ADDRESS.burst;
        if is_allowed {
            by_name.tries += 1;
            by_address.tries += 1;
        }
        is_allowed
    }

    /// Takes one try back.
    pub(super) fn give_back(&mut self, name: &str, address: Option<IpAddr>) {
        let (by_name, by_address) = self.counters(name, address);
        by_name.tries = by_name.tries.saturating_sub(1);
        by_address.tries = by_address.tries.saturating_sub(1);
    }

    fn counters(&mut self, name: &str, address: Option<IpAddr>) -> (&mut Counter, &mut Counter) {
        let place = |hash: u64| usize::try_from(hash % COUNTERS as u64).unwrap_or(0);
        let by_name = place(self.key.hash_one(name.to_lowercase()));
        let by_address = place(self.key.hash_one(address.map(network)));
        (&mut self.names[by_name], &mut self.addresses[by_address])
    }
}

/// A machine with IPv6 has a whole network of addresses to ask from.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_name_is_tried_a_few_times_and_then_slowly() {
        let now = Instant::now();
        let mut throttle = Throttle::new(now);
        let mut take = |name: &str, from: &str, at: Instant| throttle.take(name, address(from), at);
        for number in 0..PER_NAME.burst {
            assert!(take("ada", &format!("192.0.2.{number}"), now), "{number}");
        }
        assert!(!take("ADA", "198.51.100.1", now), "neither case nor another address helps");
        assert!(take("grace", "198.51.100.1", now), "others are not locked out");
        let later = now + PER_NAME.refill;
        assert!(take("ada", "198.51.100.1", later) && !take("ada", "198.51.100.1", later));
    }

    #[test]
    fn an_address_tries_only_so_many_names() {
        let now = Instant::now();
        let mut throttle = Throttle::new(now);
        let mut allowed = 0;
        for number in 0..PER_ADDRESS.burst * 2 {
            // One network of IPv6 is one address here.
            allowed +=
                u32::from(throttle.take(&format!("name{number}"), address(&format!("2001:db8::{number:x}")), now));
        }
        assert!(allowed <= PER_ADDRESS.burst && allowed > 0, "{allowed}");
        assert!(throttle.take("name", address("2001:db8:0:1::1"), now));
    }

    #[test]
    fn who_knows_the_password_is_not_counted_and_nothing_underflows() {
        let now = Instant::now();
        let mut throttle = Throttle::new(now);
        for _ in 0..PER_ADDRESS.burst * 2 {
            assert!(throttle.take("ada", address("192.0.2.1"), now));
            throttle.give_back("ada", address("192.0.2.1"));
        }
        throttle.give_back("ada", None);
        assert!(throttle.take("ada", None, now + Duration::from_secs(u64::from(u32::MAX))));
    }
}
