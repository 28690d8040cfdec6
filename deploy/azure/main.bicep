// The cloud side of Holdfast in one resource group: IoT Hub with a route to an event hub, the detector on Container Apps with
// an identity of its own, its ledger in PostgreSQL, logs in Log Analytics. docs/DEPLOY.md says how to run it.
//
// azuredeploy.json is made from this file by `npm run -s arm`; it uses the part of Bicep that scripts/bicep.mjs knows.

@description('Begins the names of all resources; letters, digits and hyphens.')
@minLength(3)
@maxLength(18)
param prefix string

@description('Where everything runs.')
param location string = resourceGroup().location

@description('The image of the detector, with its tag.')
param detectorImage string

@description('The container registry that the image is in, in this subscription and resource group; empty for a public one.')
param registryName string = ''

@description('Tier of IoT Hub: holdfast plan says which. Basic tiers have no twins and no IoT Edge.')
@allowed([
  'F1'
  'S1'
  'S2'
  'S3'
])
param hubSku string = 'S1'

@description('Units of that tier.')
@minValue(1)
@maxValue(200)
param hubUnits int = 1

@description('Partitions of the event hub: no more than so many instances of the detector have something to do. They cannot be changed later.')
@minValue(2)
@maxValue(32)
param partitions int = 4

@description('Throughput units of the event hub: 1 MB or 1,000 messages a second each.')
@minValue(1)
@maxValue(40)
param throughputUnits int = 1

@description('Days that the event hub keeps what was not read.')
@minValue(1)
@maxValue(7)
param retentionDays int = 7

@description('Compute size of the database.')
param databaseSku string = 'Standard_B1ms'

@description('Tier of that size.')
@allowed([
  'Burstable'
  'GeneralPurpose'
  'MemoryOptimized'
])
param databaseTier string = 'Burstable'

@description('Storage of the database in GB.')
@minValue(32)
param databaseStorageGb int = 32

@description('A standby of the database in another zone; not with burstable sizes.')
param databaseStandby bool = false

@description('Days that backups of the database are kept.')
@minValue(7)
@maxValue(35)
param backupDays int = 7

@description('Password of the database user holdfast.')
@secure()
@minLength(16)
param databasePassword string

@description('Token for actions on the dashboard; 16 characters or more.')
@secure()
@minLength(16)
param apiToken string

@description('Whether database and detector are in a virtual network of their own, and the dashboard is reached from there alone.')
param isPrivate bool = false

@description('Addresses that may open the dashboard from outside, such as 203.0.113.7/32; empty for none.')
param allowedAddress string = ''

@description('Instances of the detector.')
@minValue(1)
@maxValue(10)
param replicas int = 1

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logDays int = 30

@description('Where alerts are posted to; empty for nowhere.')
@secure()
param alertWebhook string = ''

var suffix = uniqueString(resourceGroup().id)
var databaseUser = 'holdfast'
var roles = {
  eventHubsDataReceiver: 'a638d3c7-ab3a-418d-83e6-5f17a39d4fde'
  eventHubsDataSender: '2b629674-e913-4c01-ae53-ef4638d8f975'
  iotHubDataContributor: '4fc6c259-987e-4a07-842e-c321cc9d413f'
  acrPull: '7f951dda-4ed3-4680-a7ca-43fe172d538d'
}
var hasRegistry = !empty(registryName)

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: '${prefix}-logs'
  location: location
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: logDays
  }
}

// The hub's own identity, for its route: a role can be given to it before the hub is there.
resource hubIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${prefix}-hub'
  location: location
}

resource detectorIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${prefix}-detector'
  location: location
}

resource eventHubNamespace 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: '${prefix}-${suffix}'
  location: location
  sku: {
    name: 'Standard'
    tier: 'Standard'
    capacity: throughputUnits
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
  }
}

resource eventHub 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {
  parent: eventHubNamespace
  name: 'readings'
  properties: {
    partitionCount: partitions
    messageRetentionInDays: retentionDays
  }
}

resource consumerGroup 'Microsoft.EventHub/namespaces/eventhubs/consumergroups@2024-01-01' = {
  parent: eventHub
  name: 'holdfast'
  properties: {}
}

resource hubSends 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, prefix, 'hub-sends')
  scope: eventHub
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventHubsDataSender)
    principalId: hubIdentity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource hub 'Microsoft.Devices/IotHubs@2023-06-30' = {
  name: '${prefix}-${suffix}'
  location: location
  sku: {
    name: hubSku
    capacity: hubUnits
  }
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${hubIdentity.id}': {}
    }
  }
  properties: {
    minTlsVersion: '1.2'
    routing: {
      endpoints: {
        eventHubs: [
          {
            name: 'readings'
            authenticationType: 'identityBased'
            identity: {
              userAssignedIdentity: hubIdentity.id
            }
            endpointUri: 'sb://${eventHubNamespace.name}.servicebus.windows.net'
            entityPath: eventHub.name
          }
        ]
      }
      routes: [
        {
          name: 'readings'
          source: 'DeviceMessages'
          condition: 'true'
          endpointNames: [
            'readings'
          ]
          isEnabled: true
        }
      ]
      fallbackRoute: {
        name: '$fallback'
        source: 'DeviceMessages'
        condition: 'true'
        endpointNames: [
          'events'
        ]
        isEnabled: false
      }
    }
  }
  dependsOn: [
    hubSends
  ]
}

resource detectorReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, prefix, 'detector-reads')
  scope: eventHub
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventHubsDataReceiver)
    principalId: detectorIdentity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

// Direct methods and twins.
resource detectorAsks 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, prefix, 'detector-asks')
  scope: hub
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.iotHubDataContributor)
    principalId: detectorIdentity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = if (hasRegistry) {
  name: hasRegistry ? registryName : 'none'
}

resource detectorPulls 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasRegistry) {
  name: guid(resourceGroup().id, prefix, 'detector-pulls')
  scope: registry
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.acrPull)
    principalId: detectorIdentity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-01-01' = if (isPrivate) {
  name: '${prefix}-network'
  location: location
  properties: {
    addressSpace: {
      addressPrefixes: [
        '10.40.0.0/16'
      ]
    }
    subnets: [
      {
        name: 'apps'
        properties: {
          addressPrefix: '10.40.0.0/23'
          delegations: [
            {
              name: 'apps'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'database'
        properties: {
          addressPrefix: '10.40.2.0/28'
          delegations: [
            {
              name: 'database'
              properties: {
                serviceName: 'Microsoft.DBforPostgreSQL/flexibleServers'
              }
            }
          ]
        }
      }
    ]
  }
}

resource databaseZone 'Microsoft.Network/privateDnsZones@2020-06-01' = if (isPrivate) {
  name: '${prefix}.private.postgres.database.azure.com'
  location: 'global'
  properties: {}
}

resource databaseZoneLink 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2020-06-01' = if (isPrivate) {
  parent: databaseZone
  name: 'network'
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: network.id
    }
  }
}

resource database 'Microsoft.DBforPostgreSQL/flexibleServers@2024-08-01' = {
  name: '${prefix}-${suffix}'
  location: location
  sku: {
    name: databaseSku
    tier: databaseTier
  }
  properties: {
    version: '16'
    administratorLogin: databaseUser
    administratorLoginPassword: databasePassword
    storage: {
      storageSizeGB: databaseStorageGb
      autoGrow: 'Enabled'
    }
    backup: {
      backupRetentionDays: backupDays
      geoRedundantBackup: 'Disabled'
    }
    highAvailability: {
      mode: databaseStandby ? 'ZoneRedundant' : 'Disabled'
    }
    network: isPrivate ? {
      delegatedSubnetResourceId: '${network.id}/subnets/database'
      privateDnsZoneArmResourceId: databaseZone.id
    } : {
      publicNetworkAccess: 'Enabled'
    }
  }
  dependsOn: [
    databaseZoneLink
  ]
}

resource ledger 'Microsoft.DBforPostgreSQL/flexibleServers/databases@2024-08-01' = {
  parent: database
  name: 'holdfast'
  properties: {
    charset: 'UTF8'
    collation: 'en_US.utf8'
  }
}

// Whatever runs on Azure reaches the server, and needs the password: for trials. isPrivate closes it.
resource azureOnly 'Microsoft.DBforPostgreSQL/flexibleServers/firewallRules@2024-08-01' = if (!isPrivate) {
  parent: database
  name: 'azure'
  properties: {
    startIpAddress: '0.0.0.0'
    endIpAddress: '0.0.0.0'
  }
}

resource environment 'Microsoft.App/managedEnvironments@2024-03-01' = {
  name: '${prefix}-apps'
  location: location
  properties: {
    appLogsConfiguration: {
      destination: 'log-analytics'
      logAnalyticsConfiguration: {
        customerId: workspace.properties.customerId
        sharedKey: workspace.listKeys().primarySharedKey
      }
    }
    workloadProfiles: [
      {
        name: 'Consumption'
        workloadProfileType: 'Consumption'
      }
    ]
    vnetConfiguration: isPrivate ? {
      infrastructureSubnetId: '${network.id}/subnets/apps'
      internal: true
    } : null
  }
}

resource detector 'Microsoft.App/containerApps@2024-03-01' = {
  name: '${prefix}-detector'
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${detectorIdentity.id}': {}
    }
  }
  properties: {
    managedEnvironmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      // Reached from within its environment, its network or one address alone: there is no sign-in.
      ingress: {
        external: isPrivate || !empty(allowedAddress)
        ipSecurityRestrictions: empty(allowedAddress) ? null : [
          {
            name: 'allowed'
            action: 'Allow'
            ipAddressRange: allowedAddress
          }
        ]
        targetPort: 8080
        transport: 'http'
      }
      registries: hasRegistry ? [
        {
          server: '${registryName}.azurecr.io'
          identity: detectorIdentity.id
        }
      ] : []
      secrets: [
        {
          name: 'database'
          value: 'postgresql://${databaseUser}:${uriComponent(databasePassword)}@${database.properties.fullyQualifiedDomainName}/${ledger.name}?sslmode=verify-full'
        }
        {
          name: 'token'
          value: apiToken
        }
        {
          name: 'webhook'
          value: empty(alertWebhook) ? 'none' : alertWebhook
        }
      ]
    }
    template: {
      containers: [
        {
          name: 'detector'
          image: detectorImage
          resources: {
            cpu: json('0.5')
            memory: '1Gi'
          }
          env: concat([
            {
              name: 'AZURE_CLIENT_ID'
              value: detectorIdentity.properties.clientId
            }
            {
              name: 'HOLDFAST_EVENTHUB_NAMESPACE'
              value: '${eventHubNamespace.name}.servicebus.windows.net'
            }
            {
              name: 'HOLDFAST_EVENTHUB_NAME'
              value: eventHub.name
            }
            {
              name: 'HOLDFAST_EVENTHUB_CONSUMER_GROUP'
              value: consumerGroup.name
            }
            {
              name: 'HOLDFAST_HUB_HOSTNAME'
              value: hub.properties.hostName
            }
            {
              name: 'DATABASE_URL'
              secretRef: 'database'
            }
            {
              name: 'HOLDFAST_API_TOKEN'
              secretRef: 'token'
            }
          ], empty(alertWebhook) ? [] : [
            {
              name: 'HOLDFAST_ALERT_WEBHOOK'
              secretRef: 'webhook'
            }
          ])
          probes: [
            {
              type: 'Liveness'
              httpGet: {
                path: '/healthz'
                port: 8080
              }
              periodSeconds: 30
              failureThreshold: 5
            }
            {
              type: 'Readiness'
              httpGet: {
                path: '/readyz'
                port: 8080
              }
              periodSeconds: 10
              failureThreshold: 6
            }
          ]
        }
      ]
      // Nothing calls it: at zero it would never look for a gap.
      scale: {
        minReplicas: replicas
        maxReplicas: replicas
      }
    }
  }
  dependsOn: [
    detectorReads
    detectorAsks
    detectorPulls
    azureOnly
  ]
}

output hubName string = hub.name
output hubHostName string = hub.properties.hostName
output dashboard string = 'https://${detector.properties.configuration.ingress.fqdn}/'
output workspaceId string = workspace.id
