//! Which server, cluster or group of sentinels, and how a connection to it is made.
//!
//! `redis://user:password@host:port/database`, `redis-cluster://host:port,host:port`,
//! `redis-sentinel://host:port,host:port/name`, each with `rediss` in front for TLS. User and password stand before the
//! first host and are the data servers'.

use std::path::Path;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{Sentinel, SentinelNodeConnectionInfo};
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, TlsCertificates, TlsMode};
use tokio::sync::Mutex;

use crate::fault::{Checked, Fault};
use crate::options::RedisOptions;

/// How often a cluster's client follows a redirection, or tries another node, before the caller hears of it.
const CLUSTER_RETRIES: u32 = 3;

/// Where to connect.
pub(crate) struct Address {
    place: Place,
    nodes: Vec<ConnectionInfo>,
    certificates: Option<TlsCertificates>,
    config: AsyncConnectionConfig,
}

enum Place {
    Server,
    Cluster(Box<ClusterClient>),
    Sentinels(Box<Sentinels>),
}

struct Sentinels {
    /// Asking them is stateful: they tell each other's addresses.
    group: Mutex<Sentinel>,
    /// What they call the servers.
    name: String,
    /// How those are connected to.
    how: SentinelNodeConnectionInfo,
}

/// An open connection. Clones share it.
#[derive(Clone)]
pub(crate) enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Address {
    pub(crate) fn of(url: &str, options: &RedisOptions) -> Checked<Self> {
        let named = Named::read(url)?;
        if named.encrypted {
            // Whoever chose a provider for the process before has chosen for this too.
            let _chosen_already = rustls::crypto::ring::default_provider().install_default();
        }
        let certificates = options.root_certificates.as_deref().map(certificates).transpose()?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(options.patience))
            .set_response_timeout(Some(options.answer_timeout));
        let nodes = named.nodes()?;
        let place = named.place(&nodes, certificates.clone(), options)?;
        Ok(Self { place, nodes, certificates, config })
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.place, Place::Cluster(_))
    }

    pub(crate) async fn connect(&self) -> Checked<Connection> {
        if let Place::Cluster(cluster) = &self.place {
            return Ok(Connection::Cluster(cluster.get_async_connection().await?));
        }
        let client = self.server().await?;
        let connection = client.get_multiplexed_async_connection_with_config(&self.config).await?;
        Ok(Connection::Server(connection))
    }

    /// A connection that hears what is published. In a cluster every node passes it on.
    pub(crate) async fn listen(&self) -> Checked<redis::aio::PubSub> {
        Ok(self.server().await?.get_async_pubsub().await?)
    }

    /// The server, the primary that the sentinels name, or some node of the cluster.
    async fn server(&self) -> Checked<Client> {
        match &self.place {
            Place::Server => Ok(self.client(&self.nodes[0])?),
            Place::Sentinels(sentinels) => {
                let Sentinels { group, name, how } = &**sentinels;
                Ok(group.lock().await.async_master_for(name, Some(how)).await?)
            }
            Place::Cluster(_) => self.living_node().await,
        }
    }

    async fn living_node(&self) -> Checked<Client> {
        let mut last = Fault::config("the address names no node");
        for node in &self.nodes {
            let client = self.client(node)?;
            match client.get_multiplexed_async_connection_with_config(&self.config).await {
                Ok(_answers) => return Ok(client),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    fn client(&self, node: &ConnectionInfo) -> Checked<Client> {
        Ok(match &self.certificates {
            Some(certificates) => Client::build_with_tls(node.clone(), certificates.clone())?,
            None => Client::open(node.clone())?,
        })
    }
}

/// An address taken apart.
struct Named<'a> {
    kind: &'a str,
    encrypted: bool,
    credentials: Option<&'a str>,
    hosts: Vec<&'a str>,
    path: Option<&'a str>,
}

impl<'a> Named<'a> {
    fn read(url: &'a str) -> Checked<Self> {
        let wrong = || Fault::config("not an address of Redis; write redis://host:6379");
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let (scheme, encrypted) = match scheme.strip_prefix("rediss") {
            Some(kind) => (kind, true),
            None => (scheme.strip_prefix("redis").ok_or_else(wrong)?, false),
        };
        let (credentials, rest) = match rest.rsplit_once('@') {
            Some((credentials, rest)) => (Some(credentials), rest),
            None => (None, rest),
        };
        let (hosts, path) = rest.split_once('/').map_or((rest, None), |(hosts, path)| (hosts, Some(path)));
        let hosts: Vec<_> = hosts.split(',').filter(|host| !host.is_empty()).collect();
        let many = matches!(scheme, "-cluster" | "-sentinel");
        if hosts.is_empty() || !(many || scheme.is_empty() && hosts.len() == 1) {
            return Err(wrong());
        }
        Ok(Self { kind: scheme, encrypted, credentials, hosts, path })
    }

    /// What the driver understands, one address per host. Sentinels have neither passwords nor databases.
    fn nodes(&self) -> Checked<Vec<ConnectionInfo>> {
        let scheme = if self.encrypted { "rediss" } else { "redis" };
        let node = |host: &&str| {
            let credentials = self.credentials.filter(|_| self.kind != "-sentinel");
            let credentials = credentials.map(|credentials| format!("{credentials}@")).unwrap_or_default();
            let path = self.path.filter(|_| self.kind.is_empty()).map(|path| format!("/{path}")).unwrap_or_default();
            let unreadable = |_| Fault::config(format!("not an address of Redis: {host}"));
            format!("{scheme}://{credentials}{host}{path}").into_connection_info().map_err(unreadable)
        };
        self.hosts.iter().map(node).collect()
    }

    fn place(
        &self,
        nodes: &[ConnectionInfo],
        certificates: Option<TlsCertificates>,
        options: &RedisOptions,
    ) -> Checked<Place> {
        match self.kind {
            "-cluster" => cluster(nodes, certificates, options),
            "-sentinel" => self.sentinels(nodes),
            _ => Ok(Place::Server),
        }
    }

    fn sentinels(&self, nodes: &[ConnectionInfo]) -> Checked<Place> {
        let name = self.path.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| Fault::config("name the servers: redis-sentinel://host:26379/name"))?;
        let mut how = SentinelNodeConnectionInfo::default();
        if self.encrypted {
            how = how.set_tls_mode(TlsMode::Secure);
        }
        if let Some(credentials) = self.credentials {
            let with = format!("redis://{credentials}@{}", self.hosts[0]).into_connection_info()?;
            how = how.set_redis_connection_info(with.redis_settings().clone());
        }
        let group = Mutex::new(Sentinel::build(nodes.to_vec())?);
        Ok(Place::Sentinels(Box::new(Sentinels { group, name: name.to_owned(), how })))
    }
}

fn cluster(nodes: &[ConnectionInfo], certificates: Option<TlsCertificates>, options: &RedisOptions) -> Checked<Place> {
    let mut builder = ClusterClient::builder(nodes.to_vec())
        .retries(CLUSTER_RETRIES)
        .connection_timeout(options.patience)
        .response_timeout(options.answer_timeout);
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    Ok(Place::Cluster(Box::new(builder.build()?)))
}

fn certificates(file: &Path) -> Checked<TlsCertificates> {
    let unreadable = |error| Fault::config(format!("no certificates in {}: {error}", file.display()));
    Ok(TlsCertificates { client_tls: None, root_cert: Some(std::fs::read(file).map_err(unreadable)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_is_understood() {
        let nodes = |url| Named::read(url).and_then(|named| named.nodes()).map(|nodes| nodes.len());
        assert_eq!(nodes("redis://localhost").ok(), Some(1));
        assert_eq!(nodes("rediss://app:secret@redis.example:6380/2").ok(), Some(1));
        assert_eq!(nodes("redis-cluster://app:secret@a:1,b:2,c:3").ok(), Some(3));
        assert_eq!(nodes("redis-sentinel://a:1,b:2/windlass").ok(), Some(2));
        for wrong in ["redis:", "http://localhost", "redis://a:1,b:2", "redis-cluster://", "redis-ring://a"] {
            assert!(nodes(wrong).is_err(), "{wrong}");
        }
        let nameless = Address::of("redis-sentinel://a:1", &RedisOptions::default()).err().expect("no name");
        assert!(windlass_store::Error::from(nameless).to_string().contains("/name"));
    }
}
