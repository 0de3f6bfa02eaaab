//! The estate's own certificate authority, made anew at each start and never written anywhere but the kubeconfig.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::Error;

/// A certificate authority that signs the API servers' certificates and the credentials of joined clusters.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    server_ip: IpAddr,
    /// The client certificates it signed, PEM.
    clients: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// A certificate and its private key, both PEM.
pub(crate) struct Credential {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    /// A new authority for servers on `server_ip` (and always on the loopback names).
    pub(crate) fn new(server_ip: IpAddr) -> Result<Self, Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "lateen demo estate");
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem, server_ip, clients: Mutex::default() })
    }

    /// The authority's certificate, PEM: what a kubeconfig carries as `certificate-authority-data`.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// What every API server of the estate presents. HTTP/2 is offered, as a real one does.
    pub(crate) fn server_config(&self) -> Result<Arc<ServerConfig>, Error> {
        self.config("kubernetes.default.svc", WebPkiClientVerifier::no_client_auth())
    }

    /// What a server of that name presents which lets nobody in but who has a certificate of `clients` (PEM).
    pub(crate) fn server_config_for(&self, name: &str, clients: &str) -> Result<Arc<ServerConfig>, Error> {
        let refused = |why: String| rustls::Error::General(format!("the clients' authority: {why}"));
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(clients.as_bytes()) {
            roots.add(certificate.map_err(|error| refused(error.to_string()))?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        self.config(name, verifier.map_err(|error| refused(error.to_string()))?)
    }

    fn config(&self, name: &str, clients: Arc<dyn ClientCertVerifier>) -> Result<Arc<ServerConfig>, Error> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), name.to_owned()])?;
        for ip in [self.server_ip, IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])] {
            if !params.subject_alt_names.contains(&SanType::IpAddress(ip)) {
                params.subject_alt_names.push(SanType::IpAddress(ip));
            }
        }
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(clients)
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// A client certificate for `user`, such as a joined cluster's Secret carries.
    pub(crate) fn client(&self, user: &str) -> Result<Credential, Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, user);
        params.distinguished_name.push(DnType::OrganizationName, "system:masters");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).push(certificate.clone());
        Ok(Credential { certificate, key: key.serialize_pem() })
    }

    /// Whether this is a client certificate of the estate's own.
    pub(crate) fn issued(&self, certificate: &str) -> bool {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.iter().any(|known| known.trim() == certificate.trim())
    }
}
