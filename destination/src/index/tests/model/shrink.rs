//! Histories that fail are made shorter.

use super::event::Event;

/// Most histories that are tried.
const TRIES: usize = 5_000;

/// The shortest and simplest history found that fails, and how.
pub fn shortest(history: Vec<Event>, play: &dyn Fn(&[Event]) -> Result<(), String>) -> (Vec<Event>, String) {
    let why = play(&history).err().unwrap_or_default();
    let mut search = Search { best: history, why, tries: 0, play };
    while search.leave_out() | search.simplify() {}
    (search.best, search.why)
}

struct Search<'a> {
    best: Vec<Event>,
    why: String,
    tries: usize,
    play: &'a dyn Fn(&[Event]) -> Result<(), String>,
}

impl Search<'_> {
    /// Takes another history if it fails too.
    fn take(&mut self, history: Vec<Event>) -> bool {
        self.tries += 1;
        if self.tries > TRIES || history == self.best {
            return false;
        }
        let Err(why) = (self.play)(&history) else { return false };
        (self.best, self.why) = (history, why);
        true
    }

    /// Leaves out events, first many at once.
    fn leave_out(&mut self) -> bool {
        let (mut size, mut is_shorter) = (self.best.len(), false);
        while size > 0 {
            let mut start = 0;
            while start < self.best.len() {
                let end = (start + size).min(self.best.len());
                let without = [&self.best[..start], &self.best[end..]].concat();
                if self.take(without) { is_shorter = true } else { start += size }
            }
            size /= 2;
        }
        is_shorter
    }

    /// Unsets what need not be set.
    fn simplify(&mut self) -> bool {
        let mut is_simpler = false;
        for i in 0..self.best.len() {
            let event = self.best[i];
            let masks = std::iter::once(u64::MAX).chain((0..64).map(|bit| 1 << bit));
            for mask in masks {
                let bits = self.best[i].bits & !mask;
                is_simpler |= bits != self.best[i].bits && self.replace(i, Event { bits, ..self.best[i] });
            }
            is_simpler |= event.name != 0 && self.replace(i, Event { name: 0, ..self.best[i] });
        }
        is_simpler
    }

    fn replace(&mut self, i: usize, event: Event) -> bool {
        let mut history = self.best.clone();
        history[i] = event;
        self.take(history)
    }
}
