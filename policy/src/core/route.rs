//! What inbound and outbound routes have in common: their names and what they match.

/// What a route comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RouteSource {
    /// A route of this control plane's own, by name.
    Default(&'static str),
}

/// Matches HTTP requests; what is absent matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HttpMatch {
    /// Path.
    pub path: Option<PathMatch>,
    /// Method.
    pub method: Option<Method>,
}

impl HttpMatch {
    /// Matches every path under a prefix.
    pub fn under(prefix: impl Into<String>) -> Self {
        Self { path: Some(PathMatch::Prefix(prefix.into())), method: None }
    }
}

/// Matches the path of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathMatch {
    /// This path.
    Exact(String),
    /// Paths whose first segments are these.
    Prefix(String),
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET.
    Get,
}

/// Matches gRPC requests; what is empty matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GrpcMatch {
    /// Full name of the service.
    pub service: String,
    /// Name of the method.
    pub method: String,
}
