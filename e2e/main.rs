//! Black-box tests of the built binary, and the house rules.
//!
//! Nothing here knows the product's types: the tests start the program as a person does and look at its output, its
//! exit code, its files and its processes.

#![expect(
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "this whole crate is one test binary"
)]

mod account;
mod bad_input;
mod contract;
mod demo;
mod docs;
mod examples;
mod faults;
mod first_run;
mod foreign;
mod identity;
mod image;
mod interrupts;
mod jobs;
mod kill;
mod locks;
mod moto;
mod network;
mod output;
mod own_service;
mod parity;
mod practice;
mod preflight;
mod progress;
mod removal;
mod rounds;
mod scenario_file;
mod scenarios;
mod servers;
mod terminal;
mod tidy;
mod triggers;
mod walls;
mod wire;
mod words;
mod workspace;
