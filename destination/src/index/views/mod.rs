//! Answers that somebody waits for. What nobody watches is not computed, and not kept.

mod endpoints;
mod profiles;
mod view;

pub use self::{
    endpoints::{EndpointViews, ViewKey},
    profiles::ProfileViews,
    view::ViewCounts,
};
