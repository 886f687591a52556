{{/* What everything of the release is named after. */}}
{{- define "doorward.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The operator: its Deployment, Service and what belongs to them. Never a name that a Gateway's own objects have. */}}
{{- define "doorward.operator" -}}
{{- include "doorward.fullname" . }}-operator
{{- end -}}

{{- define "doorward.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "doorward.operator" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name must name an existing ServiceAccount where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What the operator's pods are found by; may never change. */}}
{{- define "doorward.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Labels of every object; of two values the chart's own is kept, by which its objects are found. */}}
{{- define "doorward.labels" -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version)
  "app.kubernetes.io/name" (default .Chart.Name .Values.nameOverride)
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/managed-by" .Release.Service
  "app.kubernetes.io/part-of" "doorward" -}}
{{- toYaml (merge $own .Values.commonLabels) -}}
{{- end -}}

{{/* Those of the pods, as a map. */}}
{{- define "doorward.podLabels" -}}
{{- $own := dict "app.kubernetes.io/component" "operator" -}}
{{- toYaml (merge $own (include "doorward.labels" . | fromYaml) .Values.podLabels) -}}
{{- end -}}

{{/* Labels and annotations below `metadata:`; `annotations` are those of one object. */}}
{{- define "doorward.metadata" -}}
labels:
  {{- toYaml (merge (dict "app.kubernetes.io/component" .component) (include "doorward.labels" .root | fromYaml)) | nindent 2 }}
{{- with merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The image of every pod. */}}
{{- define "doorward.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The namespaces that are watched, the release's among them; empty for all. A JSON list. */}}
{{- define "doorward.watched" -}}
{{- if .Values.watchNamespaces -}}
{{- append .Values.watchNamespaces .Release.Namespace | uniq | sortAlpha | toJson -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{/* What a container of ours may do: nothing. */}}
{{- define "doorward.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "doorward.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}
