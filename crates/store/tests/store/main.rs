//! The store on a real PostgreSQL, a fresh database per test.

mod artifacts;
mod events;
mod fixture;
mod lease;
mod live_log;
mod measurements;
mod migrate;
mod people;
mod preflight;
mod reports;
mod run_list;
mod things;
