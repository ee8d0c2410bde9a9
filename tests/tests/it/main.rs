//! Integration tests: the real programs, a real Postgres, real processes, everything on the loopback address.
//!
//! `cargo build --bins -p podium-server -p podium-loadgen && cargo test -p podium-tests`

mod accounts;
mod api;
mod cli;
mod cluster;
mod containers;
mod deployment;
mod early;
mod engines;
mod failures;
mod http;
mod interruption;
mod left_behind;
mod llama_server;
mod load;
mod machines;
mod operate;
mod options_files;
mod outage;
mod preflight;
mod search;
mod second_pass;
mod simulated;
mod slurm;
mod sshd;
mod words;
