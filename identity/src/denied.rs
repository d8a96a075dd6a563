//! Why a certificate is not issued, and what the proxy is told.

use crate::{
    core::{
        chain::ChainError,
        csr::{CsrError, ShapeError, UnfitKey},
        leaf::SigningError,
        token::TokenError,
    },
    reviewer::ReviewFailed,
};
use tonic::{Code, Status};

/// Longest message of a status. Identities are echoed, and a client chooses how long they are.
const MAX_MESSAGE: usize = 1024;

/// Why a request is denied, in the order in which it is found out.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// No issuer was loaded yet.
    #[error("cert issuer not ready yet")]
    NotReady,
    /// No identity in the request.
    #[error("missing identity")]
    MissingIdentity,
    /// No token in the request.
    #[error("missing token")]
    MissingToken,
    /// No signing request in the request.
    #[error("missing certificate signing request")]
    MissingCsr,
    /// A signing request that cannot be read.
    #[error(transparent)]
    Csr(#[from] CsrError),
    /// Proxies would not accept what the issuer signs now.
    #[error(transparent)]
    Issuer(#[from] ChainError),
    /// A signing request of the wrong shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Nobody could say whether the token is good.
    #[error("error validating token for {identity}: {source}")]
    Review {
        /// The identity that was asked for.
        identity: String,
        /// What went wrong.
        source: ReviewFailed,
    },
    /// Too many tokens wait for their review.
    #[error("too many tokens wait to be reviewed; try again later")]
    Busy,
    /// One address asks too often.
    #[error("too many requests from this address; try again later")]
    TooOften,
    /// A token that proves nothing.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A token of another workload.
    #[error("requested identity did not match provided token: requested={requested}; found={found}")]
    Identity {
        /// The identity that was asked for.
        requested: String,
        /// That of the token.
        found: String,
    },
    /// A key that no certificate is issued for.
    #[error(transparent)]
    Key(#[from] UnfitKey),
    /// The crypto provider failed.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

impl Denied {
    /// The status that a client gets.
    pub fn code(&self) -> Code {
        match self {
            Self::NotReady | Self::Issuer(_) | Self::Busy => Code::Unavailable,
            Self::TooOften => Code::ResourceExhausted,
            Self::MissingIdentity | Self::MissingToken | Self::MissingCsr | Self::Csr(_) => Code::InvalidArgument,
            Self::Shape(_) | Self::Identity { .. } | Self::Key(_) => Code::FailedPrecondition,
            Self::Review { .. } | Self::Signing(_) => Code::Internal,
            Self::Token(error) => token_code(error),
        }
    }

    /// A word for it in metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotReady => "not_ready",
            Self::MissingIdentity | Self::MissingToken | Self::MissingCsr => "missing_field",
            Self::Csr(_) => "csr_malformed",
            Self::Issuer(_) => "issuer",
            Self::Shape(_) => "csr_shape",
            Self::Review { .. } => "review_failed",
            Self::Busy => "busy",
            Self::TooOften => "too_often",
            Self::Token(_) => "token",
            Self::Identity { .. } => "identity_mismatch",
            Self::Key(_) => "csr_key",
            Self::Signing(_) => "signing",
        }
    }
}

fn token_code(error: &TokenError) -> Code {
    match error {
        TokenError::Review(_)
        | TokenError::Username(_)
        | TokenError::NoServiceAccount(_)
        | TokenError::NotALabel(_) => Code::InvalidArgument,
        TokenError::Unauthenticated | TokenError::Audience => Code::FailedPrecondition,
    }
}

/// The start of a text, at most so many bytes long.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    let ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
    &text[..ends.take_while(|end| *end <= bytes).last().unwrap_or_default()]
}

impl From<Denied> for Status {
    fn from(denied: Denied) -> Self {
        let mut message = denied.to_string();
        let shown = cut(&message, MAX_MESSAGE).len();
        if shown < message.len() {
            message.truncate(shown);
            message.push('…');
        }
        Self::new(denied.code(), message)
    }
}
