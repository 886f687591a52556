package gitops

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/argoproj/argo-cd/v2/util/lua"
	kustomize "github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"
)

var _ = context.Background
var _ = os.Getenv
var _ = filepath.Join
var _ = strings.Split
var _ *testing.T
var _ lua.VM
var _ kustomize.CustomHealthCheck
var _ = cel.NewStatusEvaluator
var _ unstructured.Unstructured
var _ = status.Compute
var _ = yaml.Unmarshal
