// Package gitops asks Argo CD and kstatus, by their own code, how objects of Doorward are, and compares with the truth.
package gitops

import (
	"os"
	"strings"
	"testing"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v2/util/lua"
	"github.com/argoproj/gitops-engine/pkg/health"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"
)

// Objects as the operator leaves them; Flux is asked about the same in ../flux.
const situations = "situations.yaml"

// What users merge into Argo CD's settings.
const settings = "../../../docs/guides/gitops/argocd-cm.yaml"

type situation struct {
	Situation string                    `json:"situation"`
	Truth     string                    `json:"truth"`
	Says      string                    `json:"says"`
	Object    unstructured.Unstructured `json:"object"`
}

func read(t *testing.T, path string, into interface{}) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.UnmarshalStrict(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func table(t *testing.T) []situation {
	t.Helper()
	var all []situation
	read(t, situations, &all)
	if len(all) < 20 {
		t.Fatalf("%d situations", len(all))
	}
	return all
}

// The scripts as Argo CD finds them in its ConfigMap.
func scripts(t *testing.T) lua.ResourceHealthOverrides {
	t.Helper()
	var config struct {
		APIVersion string                 `json:"apiVersion"`
		Kind       string                 `json:"kind"`
		Metadata   map[string]interface{} `json:"metadata"`
		Data       map[string]string      `json:"data"`
	}
	read(t, settings, &config)
	overrides := lua.ResourceHealthOverrides{}
	if err := yaml.UnmarshalStrict([]byte(config.Data["resource.customizations"]), &overrides); err != nil {
		t.Fatalf("%s: %v", settings, err)
	}
	return overrides
}

func TestArgoCDTellsTheTruth(t *testing.T) {
	overrides := scripts(t)
	seen := map[health.HealthStatusCode]bool{}
	for _, one := range table(t) {
		t.Run(one.Situation, func(t *testing.T) {
			found, err := health.GetResourceHealth(&one.Object, overrides)
			if err != nil || found == nil {
				t.Fatalf("no answer: %v", err)
			}
			if string(found.Status) != one.Truth || !strings.Contains(found.Message, one.Says) {
				t.Errorf("%s (%s), in truth %s (%s)", found.Status, found.Message, one.Truth, one.Says)
			}
			seen[found.Status] = true
		})
	}
	if len(seen) != 3 {
		t.Errorf("the table shows only %v", seen)
	}
}

func TestArgoCDFindsTheScriptByOurGroupAlone(t *testing.T) {
	overrides := map[string]v1alpha1.ResourceOverride(scripts(t))
	for _, apiVersion := range []string{"doorward.dev/v1alpha1", "example.com/v1"} {
		machine := lua.VM{ResourceOverrides: overrides}
		object := &unstructured.Unstructured{Object: map[string]interface{}{"apiVersion": apiVersion, "kind": "ApiRoute"}}
		script, _, err := machine.GetHealthScript(object)
		if err != nil || (script != "") != (apiVersion == "doorward.dev/v1alpha1") {
			t.Errorf("%s: %q, %v", apiVersion, script, err)
		}
	}
}

func TestKstatusTellsTheTruth(t *testing.T) {
	words := map[string][]status.Status{
		"Healthy":     {status.CurrentStatus},
		"Progressing": {status.InProgressStatus, status.TerminatingStatus},
		"Degraded":    {status.FailedStatus},
	}
	for _, one := range table(t) {
		t.Run(one.Situation, func(t *testing.T) {
			found, err := status.Compute(&one.Object)
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range words[one.Truth] {
				if found.Status == word {
					return
				}
			}
			t.Errorf("%s (%s), in truth %s", found.Status, found.Message, one.Truth)
		})
	}
}
