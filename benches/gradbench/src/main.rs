//! Reads messages from standard input, one JSON object a line, and answers on standard output.
#![forbid(unsafe_code)]

use hypertape_gradbench::protocol::answer;
use std::io::{BufRead, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let reply = match line.map_err(|e| e.to_string()).and_then(|line| answer(&line).map_err(|e| e.to_string())) {
            Ok(reply) => reply,
            Err(error) => {
                eprintln!("hypertape-gradbench: {error}");
                return ExitCode::from(2);
            }
        };
        // The other side is gone when a write fails: nobody is left to tell.
        if writeln!(out, "{reply}").and_then(|()| out.flush()).is_err() {
            return ExitCode::SUCCESS;
        }
    }
    ExitCode::SUCCESS
}
