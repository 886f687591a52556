// What GitOps tools say of Doorward's kinds: Argo CD's, Flux's and kstatus' own code, over statuses as the operator writes them.
module doorward.dev/e2e/gitops

go 1.26.0

require (
	github.com/argoproj/argo-cd/v2 v2.14.21
	github.com/fluxcd/pkg/runtime v0.72.0
	sigs.k8s.io/cli-utils v0.37.2
)
