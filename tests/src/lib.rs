//! What the integration tests share: the real binaries, a service over a database of its own, plans, and bounded waits.
//!
//! Everything here panics where a test cannot go on: the message is what the reader of a failed test sees.

pub mod bench;
pub mod binaries;
pub mod engines;
pub mod hostile;
pub mod plans;
pub mod podman;
pub mod quiet;
pub mod served;
pub mod slurm;
pub mod sshd;
pub mod wait;
