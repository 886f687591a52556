// Package flux asks Flux, by its own code, how objects of Doorward are, and compares with the truth.
package flux

import (
	"context"
	"os"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const situations = "../gitops/situations.yaml"

// What users write into their Kustomizations.
const kustomization = "../../../docs/guides/gitops/flux.yaml"

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
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func TestFluxTellsTheTruth(t *testing.T) {
	var config struct {
		Spec struct {
			HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
		} `json:"spec"`
	}
	read(t, kustomization, &config)
	evaluators := map[string]*cel.StatusEvaluator{}
	for _, check := range config.Spec.HealthCheckExprs {
		evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
		if err != nil {
			t.Fatalf("%s: %v", check.Kind, err)
		}
		evaluators[check.APIVersion+" "+check.Kind] = evaluator
	}
	words := map[string]status.Status{
		"Healthy":     status.CurrentStatus,
		"Progressing": status.InProgressStatus,
		"Degraded":    status.FailedStatus,
	}
	var all []situation
	read(t, situations, &all)
	if len(all) < 20 {
		t.Fatalf("%d situations", len(all))
	}
	for _, one := range all {
		t.Run(one.Situation, func(t *testing.T) {
			object := &one.Object
			evaluator := evaluators[object.GetAPIVersion()+" "+object.GetKind()]
			if evaluator == nil {
				t.Fatalf("no expressions for %s", object.GetKind())
			}
			found, err := evaluator.Evaluate(context.Background(), object)
			if err != nil {
				t.Fatal(err)
			}
			if found.Status != words[one.Truth] {
				t.Errorf("%s (%s), in truth %s", found.Status, found.Message, one.Truth)
			}
		})
	}
}
