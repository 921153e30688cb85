//! Wall time.

/// A moment. In a browser without a clock of its own every moment is the same: reports then say zero seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(#[cfg(not(all(target_family = "wasm", target_os = "unknown")))] std::time::Instant);

impl Clock {
    pub(crate) fn now() -> Self {
        Self(
            #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
            std::time::Instant::now(),
        )
    }

    /// Seconds since then.
    pub(crate) fn seconds(self) -> f64 {
        #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
        return self.0.elapsed().as_secs_f64();
        #[cfg(all(target_family = "wasm", target_os = "unknown"))]
        0.0
    }
}
