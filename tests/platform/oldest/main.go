// Command oldest judges definitions by the code of the API server of the oldest Kubernetes version that is supported: schema, rules, and
// what these are estimated to cost, which later versions estimate lower.
package main

import (
	"context"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"sigs.k8s.io/yaml"
)

func main() {
	refused := false
	for _, path := range os.Args[1:] {
		if err := judge(path); err != nil {
			refused = true
			fmt.Printf("%s: %v\n", path, err)
		}
	}
	if refused {
		os.Exit(1)
	}
}

func judge(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var served v1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(content, &served); err != nil {
		return err
	}
	v1.SetObjectDefaults_CustomResourceDefinition(&served)
	var definition apiextensions.CustomResourceDefinition
	if err := v1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(&served, &definition, nil); err != nil {
		return err
	}
	return validation.ValidateCustomResourceDefinition(context.Background(), &definition).ToAggregate()
}
