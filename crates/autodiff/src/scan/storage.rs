//! Which states of a loop are kept, and which are computed again.

/// What a compiled loop keeps of its states for the reverse pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// Every state: each step is evaluated once on the way there.
    #[default]
    All,
    /// As many states as fit into so many bytes, each with a `usize` that says which it is, placed so that the fewest steps
    /// are evaluated again: with `s` states and at most `r` evaluations of each step, `(s + r)! / (s! r!)` steps can be
    /// reversed. (Griewank, Walther: Revolve, ACM TOMS 26, 2000.)
    Bytes(usize),
    /// The initial state only: `T(T + 1)/2` evaluations of the step for `T` steps.
    Recompute,
}

/// The number of steps that can be reversed with `slots` states, each step evaluated at most `repeats` times on the way
/// there: the binomial coefficient of `slots + repeats` over `slots`.
fn reach(slots: usize, repeats: usize) -> usize {
    let small = slots.min(repeats);
    let large = slots.max(repeats);
    (1..=small).try_fold(1_usize, |c, i| c.checked_mul(large + i).map(|c| c / i)).unwrap_or(usize::MAX)
}

/// The optimal schedule of checkpoints: where between `from`, whose state is kept, and `to` to keep the next state of a
/// loop that is to be reversed, if `free` more can be kept; both ends exclusive. `None` if there is nothing to gain.
///
/// The part behind it is reversed first, with one state fewer; then its place is free for the part before it. For loops
/// that a [`Scan`](crate::Scan) does not fit, which places its own. (Griewank, Walther: Revolve, ACM TOMS 26, 2000.)
pub fn next_kept(from: usize, to: usize, free: usize) -> Option<usize> {
    let length = to - from;
    if free == 0 || length < 2 {
        return None;
    }
    if free + 1 >= length {
        return Some(from + 1);
    }
    // The first state of the part is kept already: with it, `free + 1` states serve.
    let mut repeats = 1;
    while reach(free + 1, repeats) < length {
        repeats += 1;
    }
    // As long as it may be behind, unless the part before could then do with fewer repeats than it has.
    let before = length.saturating_sub(reach(free, repeats)).max(1);
    let least = if repeats >= 2 { reach(free + 1, repeats - 2) } else { 1 };
    Some(from + before.max(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps evaluated on the way to each state, without the pullback's own.
    fn advances(from: usize, to: usize, free: usize) -> usize {
        match next_kept(from, to, free) {
            Some(kept) => kept - from + advances(kept, to, free - 1) + advances(from, kept, free),
            // From the kept state to each step, one by one.
            None => (0..to - from).sum(),
        }
    }

    /// The fewest possible, by trying every place.
    fn fewest(steps: usize, slots: usize, seen: &mut std::collections::HashMap<(usize, usize), usize>) -> usize {
        if steps < 2 {
            return 0;
        }
        if slots == 0 {
            return steps * (steps - 1) / 2;
        }
        if let Some(&known) = seen.get(&(steps, slots)) {
            return known;
        }
        let best = (1..steps).map(|k| k + fewest(steps - k, slots - 1, seen) + fewest(k, slots, seen)).min();
        let best = best.unwrap_or(0);
        seen.insert((steps, slots), best);
        best
    }

    #[test]
    fn no_schedule_evaluates_fewer_steps() {
        let mut seen = std::collections::HashMap::new();
        for steps in 1..60 {
            for slots in 0..8 {
                assert_eq!(advances(0, steps, slots), fewest(steps, slots, &mut seen), "{steps} steps, {slots} slots");
            }
        }
    }

    #[test]
    fn reach_is_the_binomial_coefficient() {
        assert_eq!(reach(3, 2), 10);
        assert_eq!(reach(10, 5), 3003);
        assert_eq!(reach(0, 7), 1);
        assert_eq!(reach(60, 60), usize::MAX);
    }
}
