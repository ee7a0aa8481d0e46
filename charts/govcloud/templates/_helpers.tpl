{{/* Names are fixed: policies and roles are the whole cluster's, so a cluster has one release of this chart. */}}
{{- define "govcloud.name" -}}govcloud-operator{{- end }}

{{/* The policies take accounts of kube-system for Kubernetes' own controllers, and would not confine an operator there. */}}
{{- define "govcloud.namespace" -}}
{{- if eq .Release.Namespace "kube-system" }}
{{- fail "the operator needs a namespace of its own: install with --namespace govcloud-system" }}
{{- end -}}
{{ .Release.Namespace | quote }}
{{- end }}

{{- define "govcloud.selector" -}}
app.kubernetes.io/name: govcloud
app.kubernetes.io/component: operator
{{- end }}

{{- define "govcloud.labels" -}}
{{ include "govcloud.selector" . }}
app.kubernetes.io/part-of: govcloud
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "govcloud.config" -}}
{{- toYaml (.Values.config | default dict) }}
{{- end }}

{{- define "govcloud.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{/* The documents of plain files, as items of a List. */}}
{{- define "govcloud.items" -}}
{{- range $path, $_ := .Files.Glob .glob }}
{{- range regexSplit "(?m)^---\\s*$" ($.Files.Get $path) -1 }}
-
{{ trimAll "\n" . | indent 2 }}
{{- end }}
{{- end }}
{{- end }}
