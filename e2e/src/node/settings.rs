//! The arguments and configuration files of every program of the cluster.

use xtask::Failure;

use crate::images::PAUSE_NAME;
use crate::place::Place;

/// Where the API server listens.
pub(super) const API_SERVER: &str = "10.99.0.1:6443";
/// The API server's address as a Service, the first one of the range.
pub(super) const SERVICE_ADDRESS: &str = "10.96.0.1";

const NODE_ADDRESS: &str = "10.99.0.1";
const SERVICES: &str = "10.96.0.0/16";
const PODS: &str = "10.244.0.0/24";
const STORE: &str = "http://127.0.0.1:2379";

pub(super) fn etcd() -> Vec<String> {
    words(&format!(
        "--data-dir=/var/lib/etcd --listen-client-urls={STORE} --advertise-client-urls={STORE} \
         --listen-peer-urls=http://127.0.0.1:2380 --unsafe-no-fsync"
    ))
}

pub(super) fn containerd(place: &Place) -> Result<Vec<String>, Failure> {
    let networks = format!(
        r#"{{"cniVersion": "0.4.0", "name": "pods", "plugins": [
            {{"type": "bridge", "bridge": "pods0", "isGateway": true, "hairpinMode": true,
              "ipam": {{"type": "host-local", "ranges": [[{{"subnet": "{PODS}"}}]], "routes": [{{"dst": "0.0.0.0/0"}}]}}}},
            {{"type": "portmap", "capabilities": {{"portMappings": true}}}}]}}"#
    );
    place.write("networks/pods.conflist", &networks)?;
    let networks = place.path("networks");
    // Without the right to change it (in a container, say), runc would end at a pod's OOM score.
    let config = format!(
        r#"version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_NAME}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{}"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
"#,
        networks.display()
    );
    let config = place.write("containerd.toml", &config)?;
    Ok(words(&format!("--config {}", config.display())))
}

pub(super) fn api_server(place: &Place) -> Result<Vec<String>, Failure> {
    // Which rights our own pods use, for the test that compares them with those that the chart asks for.
    let policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n\
                  - {level: None, userGroups: ['system:serviceaccounts:kube-system']}\n\
                  - {level: Metadata, userGroups: ['system:serviceaccounts']}\n\
                  - {level: None}\n";
    let policy = place.write("audit.yaml", policy)?;
    let (certificates, log) = (place.path("certificates"), place.path("logs/audit.log"));
    let (c, policy, log) = (certificates.display(), policy.display(), log.display());
    Ok(words(&format!(
        "--etcd-servers={STORE} --secure-port=6443 --advertise-address={NODE_ADDRESS} --allow-privileged \
         --tls-cert-file={c}/apiserver.crt --tls-private-key-file={c}/apiserver.key --client-ca-file={c}/ca.crt \
         --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --service-cluster-ip-range={SERVICES} \
         --service-account-issuer=https://kubernetes.default.svc.cluster.local \
         --service-account-key-file={c}/accounts.key --service-account-signing-key-file={c}/accounts.key \
         --kubelet-client-certificate={c}/admin.crt --kubelet-client-key={c}/admin.key \
         --kubelet-certificate-authority={c}/ca.crt --kubelet-preferred-address-types=InternalIP --audit-policy-file={policy} --audit-log-path={log} \
         --requestheader-client-ca-file={c}/ca.crt --requestheader-allowed-names=front-proxy \
         --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
         --requestheader-extra-headers-prefix=X-Remote-Extra- \
         --proxy-client-cert-file={c}/front-proxy.crt --proxy-client-key-file={c}/front-proxy.key --profiling=false"
    )))
}

/// What starts once the API server is ready: sooner, it would be refused and wait.
pub(super) fn others(place: &Place) -> Result<Vec<(&'static str, Vec<String>)>, Failure> {
    let kubeconfig = |name: &str| place.path(&format!("kubeconfigs/{name}")).display().to_string();
    let (certificates, kubelet) = (place.path("certificates"), kubelet(place)?);
    let c = certificates.display();
    // A long grace period: after an outage of the API server, the node must not take its pods out of every Service.
    let controllers = format!(
        "--kubeconfig={} --service-account-private-key-file={c}/accounts.key --root-ca-file={c}/ca.crt \
         --cluster-signing-cert-file={c}/ca.crt --cluster-signing-key-file={c}/ca.key --use-service-account-credentials \
         --kube-api-qps=200 --kube-api-burst=400 --node-monitor-grace-period=1h --leader-elect=false \
         --bind-address=127.0.0.1 --allocate-node-cidrs=false",
        kubeconfig("kube-controller-manager")
    );
    let scheduler = format!("--kubeconfig={} --leader-elect=false --bind-address=127.0.0.1", kubeconfig("kube-scheduler"));
    let proxy = format!(
        "--kubeconfig={} --proxy-mode=iptables --cluster-cidr={PODS} --hostname-override=node --conntrack-max-per-core=0 \
         --oom-score-adj=0 --metrics-bind-address=127.0.0.1:10249",
        kubeconfig("kube-proxy")
    );
    let kubelet = format!(
        "--config={kubelet} --kubeconfig={} --hostname-override=node --node-ip={NODE_ADDRESS} --root-dir=/var/lib/kubelet",
        kubeconfig("kubelet")
    );
    Ok(vec![
        ("kubelet", words(&kubelet)),
        ("kube-controller-manager", words(&controllers)),
        ("kube-scheduler", words(&scheduler)),
        ("kube-proxy", words(&proxy)),
    ])
}

fn kubelet(place: &Place) -> Result<String, Failure> {
    let certificates = place.path("certificates");
    let (c, group) = (certificates.display(), place.group());
    let config = format!(
        "apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: true}}, x509: {{clientCAFile: {c}/ca.crt}}}}
authorization: {{mode: Webhook}}
tlsCertFile: {c}/kubelet.crt
tlsPrivateKeyFile: {c}/kubelet.key
cgroupDriver: cgroupfs
cgroupRoot: /{group}
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
enforceNodeAllocatable: []
evictionHard: {{}}
imageGCHighThresholdPercent: 100
resolvConf: ''
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
podLogsDir: /var/log/pods
maxPods: 230
kubeAPIQPS: 200
kubeAPIBurst: 400
serializeImagePulls: false
"
    );
    Ok(place.write("kubelet.yaml", &config)?.display().to_string())
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
