//! Tokens that were found good a moment ago.

use crate::core::token::{Claims, ServiceAccount};
use jiff::Timestamp;
use parking_lot::Mutex;
use std::{collections::HashMap, time::Duration};

/// SHA-256 of a token.
pub type TokenHash = [u8; 32];

/// How long a token stays good unasked: as long as the API server itself remembers one. A token of a pod
/// that was deleted is therefore taken for this time at most, and never past its own end.
pub const KEPT: Duration = Duration::from_secs(10);

/// Tokens that are remembered; more are reviewed each time.
const CAPACITY: usize = 4096;

/// Shortest time between two looks for tokens to forget.
const SWEEP: Duration = Duration::from_secs(1);

/// Remembers good tokens by their hashes. What was refused is asked again.
#[derive(Default)]
pub struct Remembered(Mutex<State>);

#[derive(Default)]
struct State {
    tokens: HashMap<TokenHash, Good>,
    swept: Timestamp,
}

struct Good {
    account: ServiceAccount,
    since: Timestamp,
    until: Timestamp,
}

impl Good {
    /// Also not before it was found: a clock that was set back makes nothing last longer.
    fn is_good(&self, now: Timestamp) -> bool {
        self.since <= now && now < self.until
    }
}

impl Remembered {
    /// Whose token it is, if it was found good a moment ago.
    pub fn get(&self, token: &TokenHash, now: Timestamp) -> Option<ServiceAccount> {
        self.0.lock().tokens.get(token).filter(|good| good.is_good(now)).map(|good| good.account.clone())
    }

    /// Remembers a good token.
    pub fn add(&self, token: TokenHash, account: ServiceAccount, claims: Claims, now: Timestamp) {
        let kept = now.saturating_add(KEPT).unwrap_or(now);
        let until = claims.expires.map_or(kept, |end| end.min(kept));
        let mut state = self.0.lock();
        state.sweep(now);
        if state.tokens.len() < CAPACITY {
            state.tokens.insert(token, Good { account, since: now, until });
        }
    }

    /// Room that it takes, in tokens.
    #[cfg(test)]
    pub fn room(&self) -> usize {
        self.0.lock().tokens.capacity()
    }
}

impl State {
    fn sweep(&mut self, now: Timestamp) {
        let since = now.duration_since(self.swept).unsigned_abs();
        if since >= SWEEP {
            self.swept = now;
            self.tokens.retain(|_, good| good.is_good(now));
            let wanted = self.tokens.len() * 2;
            self.tokens.shrink_to(wanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{seconds, start};

    fn account() -> ServiceAccount {
        ServiceAccount { namespace: "ns1".to_owned(), name: "foo".to_owned() }
    }

    fn hash(number: usize) -> TokenHash {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        hash
    }

    #[test]
    fn a_token_is_remembered_for_a_moment() {
        let tokens = Remembered::default();
        tokens.add(hash(1), account(), Claims::default(), start());
        assert_eq!(tokens.get(&hash(1), start() + seconds(9)), Some(account()));
        assert_eq!(tokens.get(&hash(1), start() + KEPT), None);
        assert_eq!(tokens.get(&hash(1), start() - seconds(1)), None, "the clock was set back");
        assert_eq!(tokens.get(&hash(2), start()), None);
    }

    #[test]
    fn a_token_is_never_remembered_past_its_own_end() {
        let tokens = Remembered::default();
        let claims = |end| Claims { issued: None, expires: Some(end) };
        tokens.add(hash(1), account(), claims(start() + seconds(3)), start());
        assert!(tokens.get(&hash(1), start() + seconds(2)).is_some());
        assert!(tokens.get(&hash(1), start() + seconds(3)).is_none());
        tokens.add(hash(2), account(), claims(start() - seconds(1)), start());
        assert!(tokens.get(&hash(2), start()).is_none());
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let tokens = Remembered::default();
        (0..CAPACITY + 100).for_each(|number| tokens.add(hash(number), account(), Claims::default(), start()));
        assert!(tokens.get(&hash(CAPACITY - 1), start()).is_some());
        assert!(tokens.get(&hash(CAPACITY + 1), start()).is_none());
        tokens.add(hash(1), account(), Claims::default(), start() + KEPT);
        assert!(tokens.room() < 100, "{}", tokens.room());
    }
}
