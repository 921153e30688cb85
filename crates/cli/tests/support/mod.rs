//! What several tests need.

use std::process::{Command, Stdio};

/// A browser, if there is one here; else it is said that the test is skipped.
pub(crate) fn browser() -> Option<&'static str> {
    let there =
        |name: &&str| Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(there);
    if found.is_none() {
        println!("skipped: there is no Chromium here");
    }
    found
}
