//! Where does a client want the kernel to listen, and with which key do both sign?

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};

/// The file that a client writes before it starts a kernel.
#[derive(Debug, Deserialize)]
pub struct Connection {
    pub ip: IpAddr,
    pub shell_port: u16,
    pub control_port: u16,
    pub iopub_port: u16,
    pub stdin_port: u16,
    pub hb_port: u16,
    #[serde(default)]
    pub key: String,
    #[serde(default = "tcp")]
    transport: String,
    #[serde(default = "sha256")]
    signature_scheme: String,
}

fn tcp() -> String {
    "tcp".to_owned()
}

fn sha256() -> String {
    "hmac-sha256".to_owned()
}

impl Connection {
    /// # Errors
    /// When the file cannot be read, is no connection file, or asks for what is not spoken here.
    pub fn read(path: &Path) -> Result<Connection> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let broken = |reason| Error::BrokenConnection { path: path.to_owned(), reason };
        let connection: Connection =
            serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        if connection.transport != "tcp" {
            return Err(broken(format!("the transport is `{}`, but must be `tcp`", connection.transport)));
        }
        if connection.signature_scheme != "hmac-sha256" {
            let scheme = &connection.signature_scheme;
            return Err(broken(format!("the signature scheme is `{scheme}`, but must be `hmac-sha256`")));
        }
        Ok(connection)
    }

    pub fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, port)
    }
}
