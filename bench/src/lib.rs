//! What a call costs: CPU time per request of the gateway beside nginx and a bare hyper relay, in one run.
//!
//! The proxy under test has one core and one worker; `wrk` and the backend (nginx) share another. A figure is the CPU
//! time of all threads of the proxy's process divided by the replies of the same window. Figures of two machines or two
//! runs say little, so what counts is a ratio: both sides measured again and again in turns, the median of the pairs
//! held against a bar. A missed bar is a result and not an error; no test waits for this program.
//!
//! It knows the gateway only from outside: a command line, manifests and HTTP.

mod arguments;
mod cores;
mod failure;
mod figures;
mod load;
mod manifests;
mod measure;
mod peers;
mod plan;
mod probe;
mod process;
mod progress;
mod relay;
mod report;
mod stage;
mod syscalls;
mod token;

pub use failure::Failure;

/// Does what the command line asks: measures and prints, or is the bare relay.
///
/// # Errors
/// The machine, a program or an answer is not what a measurement needs; then with what to do. Nothing is said about bars.
pub fn start() -> Result<(), Failure> {
    match arguments::read() {
        arguments::Task::Relay { listen, backend } => relay::run(listen, backend),
        arguments::Task::Measure(settings) => measure::run(&settings),
    }
}
