//! Bridges to other crates, each behind a feature of its name.
