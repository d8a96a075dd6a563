//! Values of fields, and the messages that all protocols share.

use super::{Dump, message, oneof};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use linkerd_proto::{http_types, meta, net};
use serde_json::Value;
use std::collections::HashMap;

macro_rules! scalars {
    ($($type:ty),*) => {$(
        impl Dump for $type {
            fn dump(&self) -> Value {
                (*self).into()
            }

            fn is_zero(&self) -> bool {
                *self == <$type>::default()
            }
        }
    )*};
}

scalars!(bool, i32, i64, u32, u64, f64);

impl Dump for f32 {
    // With the digits of a single-precision number: 0.2 is no 0.20000000298023224.
    fn dump(&self) -> Value {
        self.to_string().parse::<f64>().unwrap_or_else(|_| f64::from(*self)).into()
    }

    fn is_zero(&self) -> bool {
        *self == 0.0
    }
}

impl Dump for String {
    fn dump(&self) -> Value {
        self.as_str().into()
    }

    fn is_zero(&self) -> bool {
        self.is_empty()
    }
}

impl Dump for Vec<u8> {
    fn dump(&self) -> Value {
        BASE64_STANDARD.encode(self).into()
    }

    fn is_zero(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Dump> Dump for Vec<T> {
    fn dump(&self) -> Value {
        self.iter().map(Dump::dump).collect()
    }

    fn is_zero(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Dump> Dump for Option<T> {
    fn dump(&self) -> Value {
        self.as_ref().map_or(Value::Null, Dump::dump)
    }

    fn is_zero(&self) -> bool {
        self.is_none()
    }
}

impl<T: Dump> Dump for Box<T> {
    fn dump(&self) -> Value {
        (**self).dump()
    }
}

impl Dump for HashMap<String, String> {
    fn dump(&self) -> Value {
        self.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
    }

    fn is_zero(&self) -> bool {
        self.is_empty()
    }
}

message!(linkerd_proto::Duration { seconds, nanos });

message!(net::IpAddress { ip: "Ip" });
oneof!(net::ip_address::Ip { Ipv4, Ipv6 });
message!(net::IPv6 { first, last });
message!(net::IpNetwork { ip, prefix_len });
message!(net::TcpAddress { ip, port });

message!(meta::Metadata { kind: "Kind" });
oneof!(meta::metadata::Kind { Default, Resource });
message!(meta::Resource { group, kind, name, namespace, section, port });

message!(http_types::HttpMethod { r#type: "Type" });
oneof!(http_types::http_method::Type { Registered, Unregistered });
message!(http_types::Scheme { r#type: "Type" });
oneof!(http_types::scheme::Type { Registered, Unregistered });
message!(http_types::Headers { headers });
message!(http_types::headers::Header { name, value });
